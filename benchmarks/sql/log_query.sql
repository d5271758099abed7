-- name: by_key
-- What is to be compared with: the rows that a page shows, by primary key.
select workspace_id, campaign_id, id, position, revision, sender_id, body, status, telegram_message_id,
       triggered_by_message_id, step, error_code, error_message, sent_at, created_at, attempt, read_at, replied_at, job_id
  from delivery.messages where (campaign_id, job_id) in (select * from unnest($1::bigint[], $2::uuid[]))
