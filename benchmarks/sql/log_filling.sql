-- name: owners
-- Whose log it is.
insert into control.workspaces (id, name) overriding system value values (1, 'bench');
insert into control.telegram_accounts (id, workspace_id, name, kind, status, limits) overriding system value
values (3, 1, 'shop', 'bot', 'active', '{}');
insert into control.campaigns (id, workspace_id, name, mode, body, telegram_account_id) overriding system value
select n, 1, 'bench ' || n, 'broadcast', 'Hello', 3 from generate_series(1, 9) n;

-- name: rows
-- Rows $1 to $2 (without it) of all, made from $3 on: most sent, some refused, few pending. Every fifth is campaign 1's.
insert into delivery.messages (campaign_id, job_id, id, position, revision, created_at, workspace_id, channel, state, rank,
    attempt, account_id, recipient_id, sender_id, run_id, sender, destination, step, trigger, body, content_type, queued_at,
    sent_at, ended_at, telegram_message_id, error_code, error_message, error_permanent)
select case when n % 10 < 2 then 1 else n % 10 end, md5(n::text)::uuid, n + 1,
       case when n % 10 < 2 then n / 10 * 2 + n % 10 else n / 10 end + 1, n + 1, $3::timestamptz + n * interval '1 ms', 1, 'telegram',
       case when n % 20 = 0 then 'failed' when n % 50 = 11 then 'queued' else 'sent' end,
       case when n % 20 = 0 then 3 when n % 50 = 11 then 0 else 4 end, 1, 3, 10000000 + n, n + 1, 5, '@shop',
       '@reader_' || n, 0, 'broadcast', 'Hello Ann, the summer sale starts on Friday: 20 % off everything. Reader ' || n, 'text',
       $3::timestamptz + n * interval '1 ms', case when n % 20 <> 0 and n % 50 <> 11 then $3::timestamptz + n * interval '1 ms' end,
       case when n % 20 = 0 then $3::timestamptz end, case when n % 20 <> 0 and n % 50 <> 11 then n + 1 end,
       case when n % 20 = 0 then 'USER_PRIVACY_RESTRICTED' end, case when n % 20 = 0 then 'Refused.' end,
       case when n % 20 = 0 then true end
  from generate_series($1::bigint, $2::bigint - 1) n

-- name: counters
-- As the log-writer would have counted them.
insert into delivery.campaign_counters (campaign_id, workspace_id, last_position, pending, sent, failed, retained_pending,
    retained_sent, retained_failed, last_revision)
select campaign_id, 1, max(position), count(*) filter (where rank < 2), count(*) filter (where rank = 4),
       count(*) filter (where rank = 3), count(*) filter (where rank < 2), count(*) filter (where rank = 4),
       count(*) filter (where rank = 3), max(revision)
  from delivery.messages group by campaign_id;
insert into delivery.code_counters (campaign_id, code, workspace_id, messages, retained)
select campaign_id, error_code, 1, count(*), count(*) from delivery.messages where error_code is not null group by 1, 2;
insert into delivery.log_marks (campaign_id, revision, first_position, last_position, settled, read)
select 1, revision, 1, position, settled, 0
  from (select revision, position, settled, (position + settled) / 4096 as mark, lag((position + settled) / 4096) over (order by position) as last_mark
          from (select revision, position, count(*) filter (where rank >= 2) over (order by position) as settled
                  from delivery.messages where campaign_id = 1) counted) marked
 where mark > last_mark;
update delivery.sequence set (last_id, last_revision, last_created_at) =
    (select max(id), max(revision), max(created_at) from delivery.messages);
