-- name: send_existed
select 1 from delivery.sends where id = $1 and messages > 0

-- name: get_send
select id, campaign_id, message, triggered_by, started_at, accepted, place, run_id, step, trigger, follow_up, job_id,
       first_position, last_position
  from delivery.sends
 where id = $2 and workspace_id = $1 and messages > 0

-- name: search_sends
-- How many there are and one page of them, both as they were at one moment: a row without an id when the page is empty.
with found as (
    select s.id, s.started_at from delivery.sends s
     where s.workspace_id = $1 and s.messages > 0
       and ($2::bigint[] is null or s.campaign_id = any ($2))
       and ($3::timestamptz is null or s.started_at >= $3)
       and ($4::timestamptz is null or s.started_at <= $4)
)
select t.total, s.id, s.campaign_id, s.message, s.triggered_by, s.started_at, s.accepted
  from (select count(*) as total from found) t
  left join (select f.id from found f order by f.started_at, f.id offset $5 limit $6) p on true
  left join delivery.sends s on s.id = p.id
 order by s.started_at, s.id

-- name: send_destinations
-- Those of one send ($4 to $9) among the messages of its campaign between two positions: the handle, or the Telegram id.
-- Of an erased person there is neither.
select coalesce(m.destination, m.recipient_id::text) as destination
  from delivery.messages m
 cross join lateral delivery.send_of(m.campaign_id, m.job_id, m.run_id, m.step, m.trigger, m.follow_up) k
 where m.campaign_id = $1 and m.status = 'sent' and m.position between $2 and $3 and m.erased_at is null
   and (k.run_id, k.step, k.trigger, k.follow_up, k.job_id) = ($4, $5, $6, $7, $8)
   and coalesce(m.destination, m.recipient_id::text) is not null
 order by m.position
