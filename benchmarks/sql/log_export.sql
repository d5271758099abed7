-- name: export_plain_columns
-- What the export is measured against: the same rows, nothing formatted.
select id, campaign_id, sender_id, 'outbound', body, status, telegram_message_id, triggered_by_message_id, step,
       error_code, error_message, sent_at, created_at, revision, attempt, read_at, replied_at, job_id
  from delivery.log_rows where campaign_id = $1 and position <= $2 order by position

-- name: export_rows
-- Rows as the log-writer leaves them: most sent, some read, a few refused.
insert into delivery.messages (campaign_id, job_id, id, position, revision, created_at, workspace_id, channel, state,
    rank, attempt, account_id, sender_id, run_id, sender, destination, step, trigger, body, content_type, queued_at,
    sent_at, ended_at, read_at, telegram_message_id, error_code, error_message, error_permanent)
select $1, gen_random_uuid(), $1::bigint * 100000000 + n, n, $1::bigint * 100000000 + n, r.made_at, $2,
       'telegram', r.state,
       case r.state when 'failed' then 3 when 'sent' then 4 else 6 end, 1, 3, n, 5, '@shop', '@reader_' || n, 0,
       'broadcast', 'Hello Ann, the "summer sale" starts on Friday: 20 % off everything, only for you. Reader ' || n,
       'text', date_trunc('milliseconds', r.made_at), case when r.state <> 'failed' then r.done_at end, r.done_at,
       case when r.state = 'read' then r.made_at + interval '1 h' end,
       case when r.state <> 'failed' then 1800000000 + n end,
       case when r.state = 'failed' then 'USER_PRIVACY_RESTRICTED' end,
       case when r.state = 'failed' then 'This person''s privacy settings refuse it.' end,
       case when r.state = 'failed' then true end
  from generate_series($3::bigint, $4::bigint) n
 cross join lateral (select '2026-04-21 16:02:42.801276Z'::timestamptz + n * interval '1 ms 37 us' as made_at,
                            '2026-04-21 16:02:44.120394Z'::timestamptz + n * interval '1 ms 37 us' as done_at,
                            case when n % 50 = 0 then 'failed' when n % 3 = 0 then 'read' else 'sent' end as state) r

-- name: export_counters
-- The campaign has so many.
insert into delivery.campaign_counters (campaign_id, workspace_id, last_position) values ($1, $2, $3)

-- name: export_needs_not
-- An export looks rows up by position only; without the other indexes ten million are here in half the time.
select format('drop index delivery.%I', indexname) from pg_indexes
 where schemaname = 'delivery' and tablename = 'messages'
   and indexname not in ('messages_pkey', 'messages_by_position')
