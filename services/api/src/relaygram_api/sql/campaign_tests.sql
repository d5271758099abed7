-- name: test_recipient
select telegram_user_id, handle, phone_sealed, first_name, last_name, columns
  from control.contacts where campaign_id = $1 and id = $2

-- name: test_account
select id, status, backing_off_until, handle, telegram_user_id from control.telegram_accounts where id = $1

-- name: insert_test_send
-- Once per job id, which follows from the request's.
insert into control.single_sends (workspace_id, campaign_id, account_id, job_id, telegram_user_id, handle, phone_sealed,
                                phone_hash, first_name, last_name, columns, person_hashes, body, attachments)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict (job_id) do nothing
returning id, created_at, control.content_type(attachments) as content_type

-- name: relay_test_send
-- The pending row of the log, and the job: into the outbox, so that both go out whatever dies meanwhile.
with told as (
    insert into control.outbox (workspace_id, kind, subject, body, headers) values ($1, 'stream', $2, $3, $4)
)
select control.relay_single(t) from control.single_sends t where t.workspace_id = $1 and t.job_id = $5

-- name: get_test_send
-- The gateway's ledger knows an outcome a little earlier than the log does.
select t.job_id, t.campaign_id, t.created_at,
       coalesce(m.sent_at, case when s.state = 'accepted' then s.decided_at end) as sent_at,
       case when m.rank >= 2 then m.state
            when s.state = 'accepted' then 'sent'
            when s.state = 'refused' then 'failed'
            when s.state = 'dropped' then 'discarded'
            when m.state = 'retrying' then 'retrying'
            when s.state = 'sending' then 'sending'
            when t.created_at < now() - interval '1 hour' then 'expired'
            else 'queued' end as status,
       coalesce(m.destination, '@' || t.handle, t.telegram_user_id::text) as destination,
       coalesce(m.body, s.body) as body,
       coalesce(m.telegram_message_id, s.telegram_message_id) as telegram_message_id,
       coalesce(m.error_code, s.code) as error_code, coalesce(m.error_message, s.message) as error_message
  from control.single_sends t
  left join delivery.messages m on m.campaign_id = 0 and m.job_id = t.job_id
  left join telegram.sends s on s.job_id = t.job_id
 where t.campaign_id = $1 and t.job_id = $2
