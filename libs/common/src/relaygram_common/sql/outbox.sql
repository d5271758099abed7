-- name: take_outbox
-- Rows another relay holds are skipped: any number of relays may run. Deleted in the transaction that published them.
select id, kind, subject, body, headers from control.outbox order by id limit $1 for update skip locked

-- name: delete_outbox
delete from control.outbox where id = any($1::bigint[])

-- name: campaign_states_now
-- A relayed state is the one of now, not of when its row was written.
select id, state, version, mode, deleted from control.campaign_states($1)
