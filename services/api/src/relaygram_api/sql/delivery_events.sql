-- name: outbox_waiting
-- At most so many rows wait for NATS: two probes, where counting them would read them all.
select coalesce(max(id) - min(id) + 1, 0) from control.outbox

-- name: take_events
-- Remembers events and leaves those that are new for the relay; how many those are. Sorted, so that two requests with
-- the same events wait for each other instead of each for the other.
with given as (
    select * from unnest($2::uuid[], $3::text[], $4::jsonb[], $5::jsonb[]) as g (event_id, subject, body, headers)
), taken as (
    insert into control.taken_events (workspace_id, event_id)
    select $1, g.event_id from given g order by g.event_id
    on conflict do nothing
    returning event_id
), left_for_relay as (
    insert into control.outbox (workspace_id, kind, subject, body, headers)
    select $1, 'stream', g.subject, g.body, g.headers from given g join taken using (event_id)
    returning 1
)
select count(*) from left_for_relay

-- name: prune_taken_events
select control.prune_taken_events($1) as pruned
