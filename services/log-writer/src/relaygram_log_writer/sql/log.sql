-- name: write_messages
-- One round trip and one transaction: the log's lock, rows, feeds and counters. Returns the campaigns that changed.
select campaign_id, revision from delivery.write_messages(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
    $26, $27, $28, $29, $30)

-- name: ping
-- Is the database there?
select 1
