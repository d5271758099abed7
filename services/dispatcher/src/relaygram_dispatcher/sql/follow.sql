-- name: log_changes
-- The log's changes after a revision, in order, as far as one page goes. Each with the due row it came from, if that was
-- not followed yet.
select m.revision, m.job_id, m.sender_id as contact_id, m.status, m.error_code as code, m.sent_at,
       m.replied_at is not null as replied,
       e.contact_id is not null as enrolled, e.replied_at is not null as ended,
       d.trigger, d.step_identity, d.step, d.follow_up, d.due_at, d.follows_at
  from (select * from delivery.messages o where o.campaign_id = $1 and o.revision > $2 order by o.revision limit $3) m
  left join dispatch.due d on d.job_id = m.job_id
  left join dispatch.enrollments e on e.campaign_id = m.campaign_id and e.contact_id = m.sender_id
 order by m.revision

-- name: log_stale
-- Published rows whose message has its outcome, though the log was followed beyond it: the message is older than its row.
select m.revision, m.job_id, m.sender_id as contact_id, m.status, m.error_code as code, m.sent_at,
       m.replied_at is not null as replied,
       e.contact_id is not null as enrolled, e.replied_at is not null as ended,
       d.trigger, d.step_identity, d.step, d.follow_up, d.due_at, d.follows_at
  from dispatch.due d
  join delivery.messages m on m.campaign_id = d.campaign_id and m.job_id = d.job_id
  left join dispatch.enrollments e on e.campaign_id = m.campaign_id and e.contact_id = m.sender_id
 where d.campaign_id = $1 and d.published_at is not null and m.status <> 'pending' and m.revision <= $2
 limit $3

-- name: messages_of
-- Which messages these people have, in the log or due.
select m.sender_id as contact_id, m.job_id from delivery.messages m where m.campaign_id = $1 and m.sender_id = any ($2::bigint[])
union all
select d.contact_id, d.job_id from dispatch.due d where d.campaign_id = $1 and d.contact_id = any ($2::bigint[])

-- name: follow
select dispatch.follow($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
