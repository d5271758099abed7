-- name: stream_begin
-- Where a stream begins that begins now; there is a row for each campaign of the workspace, also a deleted one.
select coalesce(k.last_revision, 0) as revision
  from control.campaigns c left join delivery.campaign_counters k on k.campaign_id = c.id
 where c.id = $1

-- name: stream_page
select * from delivery.changes_after($1, $2, $3, $4)

-- name: stream_revisions
-- What is newest in each of these, to see whether a doorbell was lost.
select campaign_id, last_revision from delivery.campaign_counters where campaign_id = any($1)

-- name: ended_tokens
select control.ended_tokens($1) as ended

-- name: insert_stream_ticket
insert into control.stream_tickets (secret_hash, workspace_id, token_id, campaign_id, expires_at)
values ($1, $2, $3, $4, now() + make_interval(secs => $5))
returning expires_at

-- name: redeem_stream_ticket
-- Before a workspace is known: a security-definer function finds it and takes it away.
select control.redeem_stream_ticket($1, $2) as token_id

-- name: prune_stream_tickets
select control.prune_stream_tickets($1) as pruned
