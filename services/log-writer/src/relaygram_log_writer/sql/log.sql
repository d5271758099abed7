-- name: write_messages
-- One round trip and one transaction: the log's lock, rows, feeds and counters. Returns the campaigns that changed.
select campaign_id, revision from delivery.write_messages(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
    $26, $27, $28, $29, $30, $31, $32)

-- name: newest_receipts
-- Up to which message do these accounts have receipts? Read after the commit of messages: whoever stores a receipt
-- meanwhile sees them.
select account_id, message_id from delivery.newest_receipts($1)

-- name: with_receipts
-- Which of these accepted messages have receipts that came before them?
select campaign_id, job_id from delivery.with_receipts($1, $2, $3, $4, $5)

-- name: apply_receipts
-- Receipts to the messages that are there, and to late messages the receipts that are. Returns what changed.
select is_read, is_replied, (message).* from delivery.apply_receipts($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: tell
-- The public events of these changes, for the relay; in the same transaction.
select delivery.tell($1, $2, $3, $4)

-- name: claim_retention
-- Is it this log-writer's turn to clear up?
select delivery.claim_retention($1)

-- name: old_logs
-- Campaigns after this id whose log begins with an old row.
select campaign_id from delivery.old_logs($1, $2, $3)

-- name: trim_log
-- Takes the first rows of a log. No row: it is another log-writer's turn.
select rows_left, held_ms from delivery.trim_log($1, $2, $3, $4)
