-- name: admit
-- May these jobs be sent, as things stand now? Ages by the clock that wrote the times.
select a.*, case a.attachments when '{}' then 'text' else control.content_type(a.attachments) end as content_type,
       extract(epoch from clock_timestamp() - a.first_at)::float8 as age_seconds,
       extract(epoch from a.first_at)::float8 as first_at_epoch
  from telegram.admit($1::int8, $2::int8, $3::int4, $4::uuid[], $5::int8[], $6::int8[], $7::int4[], $8::int8[], $9::int4[],
                      $10::text[], $11::int8[], $12::timestamptz[]) a;

-- name: defer
-- In quiet hours now: due again when these are over. In the same transaction as admit(), and before the jobs are
-- acknowledged.
select dispatch.defer($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::timestamptz[]);

-- name: close_singles
-- Their ends are told: their queue need not be looked at for them any more.
update control.single_sends set closed_at = clock_timestamp()
 where account_id = $1 and job_id = any ($2::uuid[]) and closed_at is null;

-- name: keep_bodies
-- The text and file of each message from its first attempt on, and the account's use of its hour and day, in the same
-- transaction as admit().
with used as (
    insert into telegram.usage as u (account_id, minute, workspace_id, sends)
    values ($1::int8, date_trunc('minute', clock_timestamp()), $2::int8, $3::int4)
    on conflict (account_id, minute) do update set sends = u.sends + excluded.sends
)
select k.job_id, k.body, k.media_id from telegram.keep_bodies($4::uuid[], $5::text[], $6::int8[], $7::int8[]) k;

-- name: record
-- Telegram's answers, a batch at a time.
select r.job_id, r.state, r.attempt, r.network_failures, r.decided_at
  from telegram.record($1::int8, $2::int8, $3::uuid[], $4::text[], $5::int8[], $6::int8[], $7::text[], $8::text[],
                       $9::bool[]) r;

-- name: withdraw
-- These were admitted for the first time and never put on the wire: as if they had not been.
with gone as (
    delete from telegram.sends
     where account_id = $1 and term = $2 and job_id = any ($3::uuid[]) and state = 'sending' and attempt = 1
    returning 1
)
update telegram.usage u set sends = greatest(0, u.sends - (select count(*) from gone)::int4)
 where u.account_id = $1 and u.minute = (select max(minute) from telegram.usage where account_id = $1);

-- name: snooze
-- Telegram put these attempts off: none of the job's, though they count in the account's hour and day. Those in $4 are
-- all that there ever was of their job.
with gone as (
    delete from telegram.sends
     where account_id = $1 and term = $2 and job_id = any ($4::uuid[]) and state = 'sending' and attempt = 1
    returning job_id
)
update telegram.sends s set attempt = s.attempt - 1
 where s.account_id = $1 and s.term = $2 and s.job_id = any ($3::uuid[]) and s.state = 'sending' and s.attempt > 1
   and s.job_id not in (select job_id from gone);

-- name: usage_frees_at
-- When so many of the last messages have fallen out of a window that fewer than its limit are left; $4: or when the
-- account's first day is over.
select least(max(b.minute) + make_interval(secs => $2::float8 + 60),
             case when $4 then (select a.created_at + interval '1 day' from control.telegram_accounts a where a.id = $1) end)
       as frees_at
  from (select minute, sum(sends) over (order by minute desc) as since_then
          from telegram.usage
         where account_id = $1 and minute > clock_timestamp() - make_interval(secs => $2::float8 + 60)) b
 where b.since_then >= $3::int8;

-- name: recent_resolves
-- How long ago people were found, of the last minute: a new owner must not begin with a burst.
select extract(epoch from clock_timestamp() - updated_at)::float8 as age_seconds
  from telegram.peers
 where account_id = $1 and updated_at > clock_timestamp() - interval '60 seconds'
 order by updated_at desc limit 1000;

-- name: usage
-- What the account sent in the last hour and day; a bucket counts until its last second is that old.
select coalesce(sum(sends) filter (where minute > clock_timestamp() - interval '61 minutes'), 0)::int8 as last_hour,
       coalesce(sum(sends), 0)::int8 as last_day
  from telegram.usage
 where account_id = $1 and minute > clock_timestamp() - interval '24 hours 1 minute';

-- name: forget_old_usage
-- Buckets that no limit asks for any more.
delete from telegram.usage where account_id = $1 and minute < clock_timestamp() - interval '2 days';

-- name: open_campaigns
-- Campaigns of this account with messages whose outcome is open. Campaign 0 as long as there are test sends, and a
-- little longer: a job may come twice.
select distinct campaign_id from telegram.sends where account_id = $1 and state = 'sending'
union
select 0 where exists (select from control.single_sends t where t.account_id = $1
                        and coalesce(t.closed_at, 'infinity') > now() - interval '10 seconds');

-- name: taken_message_ids
-- Which of these messages are other jobs'.
select telegram_message_id from telegram.sends
 where account_id = $1 and telegram_message_id = any ($2::int8[]) and job_id <> $3;

-- name: chat_of_send
-- Whom an attempt went to, and what it said and carried; also when the contact itself is gone.
select s.telegram_user_id, p.access_hash, s.body, s.media_id
  from telegram.sends s
  left join telegram.peers p on p.account_id = s.account_id and p.telegram_user_id = s.telegram_user_id
 where s.job_id = $1;

-- name: keep_peers
-- People found by this account. A handle or phone that changed hands is taken from who had it before.
with found as (
    select * from unnest($3::int8[], $4::int8[], $5::text[], $6::bytea[]) as f (telegram_user_id, access_hash, handle, phone_hash)
),
lost as (
    update telegram.peers p
       set handle = case when p.handle in (select handle from found) then null else p.handle end,
           phone_hash = case when p.phone_hash in (select phone_hash from found) then null else p.phone_hash end
     where p.account_id = $1
       and (p.handle in (select handle from found) or p.phone_hash in (select phone_hash from found))
       and p.telegram_user_id not in (select telegram_user_id from found)
    returning 1
)
insert into telegram.peers as p (account_id, workspace_id, telegram_user_id, access_hash, handle, phone_hash)
select $1, $2, f.telegram_user_id, f.access_hash, f.handle, f.phone_hash
  from found f where (select count(*) from lost) >= 0
 order by f.telegram_user_id
on conflict (account_id, telegram_user_id) do update
   set access_hash = excluded.access_hash, handle = coalesce(excluded.handle, p.handle),
       phone_hash = coalesce(excluded.phone_hash, p.phone_hash), updated_at = now();

-- name: keep_chats
-- Where these messages go, noted before they leave: a later look into the chat must know which chat.
update telegram.sends s set telegram_user_id = c.chat
  from unnest($1::uuid[], $2::int8[]) as c (job_id, chat)
 where s.job_id = c.job_id and s.state = 'sending';

-- name: to_judge_anew
-- People whom admission did not know by their Telegram id yet, and who have written or are suppressed.
select f.telegram_user_id
  from unnest($3::int8[], $4::text[]) as f (telegram_user_id, handle)
 where exists (select from telegram.last_inbound i where i.account_id = $1 and i.telegram_user_id = f.telegram_user_id)
    or exists (select from control.suppressions x where x.workspace_id = $2
                and (x.telegram_user_id = f.telegram_user_id or x.handle = f.handle));

-- name: forget_peer
-- What the account knew of this person is out of date.
delete from telegram.peers where account_id = $1 and telegram_user_id = $2;
