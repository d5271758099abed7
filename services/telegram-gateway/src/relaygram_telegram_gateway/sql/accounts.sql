-- name: accounts_wanted
-- Accounts that need an owner: at work, or with a log-in step to do, or with a session that is to be ended.
select a.id, a.workspace_id, a.kind, a.status, a.status_reason, a.backing_off_until, a.telegram_user_id, a.handle,
       a.limits, a.version, extract(epoch from now() - a.created_at)::float8 as age_seconds,
       a.deleted_at is not null or a.status = 'logged_out' as leaving,
       coalesce((select array_agg(s.kind) from control.login_secrets s where s.account_id = a.id), '{}') as secrets,
       o.api_id, o.api_hash_sealed, o.proxy_sealed
  from control.telegram_accounts a
  left join control.account_connections o on o.account_id = a.id
 where a.deleted_at is null
       and (a.status in ('active', 'backing_off')
            or a.status in ('new', 'code_required', 'password_required')
               and exists (select from control.login_secrets s where s.account_id = a.id))
    or (a.deleted_at is not null or a.status = 'logged_out')
       and (exists (select from telegram.sessions t where t.account_id = a.id)
            or o.account_id is not null
            or exists (select from telegram.logins t where t.account_id = a.id)
            or exists (select from control.login_secrets s where s.account_id = a.id))
 order by a.id;

-- name: campaigns_of_accounts
-- What these accounts may have to send now; what is missing here is terminal or deleted.
select c.id, c.telegram_account_id, c.status, c.version, c.mode
  from control.campaigns c
 where c.telegram_account_id = any ($1::int8[]) and c.status in ('running', 'paused') and c.deleted_at is null;

-- name: move_account
-- The only way through the table of account states; campaigns follow.
select outcome, from_status, status
  from control.account_transition($1::int8, $2::int8, $3::text, $4::text, $5::timestamptz, $6::int8, $7::text);

-- name: pause_campaign
-- The content of this campaign would be refused for everybody.
select outcome from control.transition($1::int8, $2::int8, 'content_error', 'gateway');

-- name: login_now
-- Where the log-in stands, and what a person entered for it, sealed; in one statement, so that they belong together.
select a.status, s.kind, s.sealed
  from control.telegram_accounts a left join control.login_secrets s on s.account_id = a.id
 where a.id = $1;

-- name: forget_secrets
-- Used, or of no use any more.
delete from control.login_secrets where account_id = $1 and kind = any ($2::text[]);

-- name: forget_used_secrets
-- Used; what the person entered meanwhile stays, be it for the next log-in.
delete from control.login_secrets
 where account_id = $1 and (kind, sealed) in (select * from unnest($2::text[], $3::bytea[]));

-- name: session
-- The sealed Telethon session of an account.
select sealed from telegram.sessions where account_id = $1;

-- name: save_session
-- After a log-in.
insert into telegram.sessions (account_id, workspace_id, sealed, key_fingerprint) values ($1, $2, $3, $4)
on conflict (account_id) do update
   set sealed = excluded.sealed, key_fingerprint = excluded.key_fingerprint, updated_at = now();

-- name: session_is_in_use
-- Whether another account is logged in by this very session.
select exists (select from telegram.sessions s join control.telegram_accounts a on a.id = s.account_id
                where s.key_fingerprint = $2 and s.account_id <> $1 and a.deleted_at is null
                  and a.status in ('active', 'backing_off')) as found;

-- name: forget_session
-- After logging out.
delete from telegram.sessions where account_id = $1;

-- name: login
-- A log-in half way.
select session_sealed, phone_code_hash from telegram.logins where account_id = $1;

-- name: save_login
-- Survives a restart of the gateway.
insert into telegram.logins (account_id, workspace_id, session_sealed, phone_code_hash) values ($1, $2, $3, $4)
on conflict (account_id) do update
   set session_sealed = excluded.session_sealed, phone_code_hash = excluded.phone_code_hash, updated_at = now();

-- name: forget_login
-- Done, or to be begun anew.
delete from telegram.logins where account_id = $1;

-- name: take_term
-- A new owner's first write: writes of all earlier owners are refused from now on.
select telegram.take_term($1::int8, $2::int8, $3::text) as term;

-- name: release_term
-- Let go of: the api shows no gateway for the account. A later owner's term is not touched.
update telegram.fences set running = false where account_id = $1 and term = $2;

-- name: say_alive
-- What a gateway owns that was silent for long, nobody runs. Those that have been gone for a day are forgotten.
with gone as (delete from telegram.gateways where seen_at < now() - interval '1 day')
insert into telegram.gateways (instance, seen_at) values ($1, now())
on conflict (instance) do update set seen_at = excluded.seen_at;

-- name: say_goodbye
-- A gateway that ends in order.
delete from telegram.gateways where instance = $1;

-- name: forget_connection
-- After logging out.
delete from control.account_connections where account_id = $1;

-- name: has_had_owner
-- Whether anybody ever ran the account: then a lost lease bucket may hide an owner.
select exists (select from telegram.fences where account_id = $1) as found;

-- name: suppress_refused
-- Who blocked an account, or is gone, is written to no more, also by the workspace's other accounts.
select control.suppress_refused($1::int8, $2::int8, $3::text, $4::text);

-- name: demand_term
-- Begins a transaction that writes for an account: raises RG001 when another owner has taken over.
select telegram.demand_term($1::int8, $2::int8);

-- name: blocks
-- What Telegram has closed to the account for a time, and what is to be tried with care after it.
select method, code, strikes, extract(epoch from blocked_until - clock_timestamp())::float8 as seconds, blocked_until
  from telegram.blocks where account_id = $1 and (blocked_until > clock_timestamp() or strikes > 0);

-- name: save_block
-- A FLOOD_WAIT or its kin.
insert into telegram.blocks (account_id, method, workspace_id, blocked_until, code, strikes)
values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4::float8), $5, $6)
on conflict (account_id, method) do update
   set blocked_until = greatest(telegram.blocks.blocked_until, excluded.blocked_until), code = excluded.code,
       strikes = excluded.strikes
returning blocked_until;

-- name: forget_block
-- Telegram took a message again.
delete from telegram.blocks where account_id = $1 and method = $2;

-- name: wait_of_account
-- What its dispatchers were told last.
select waiting_for, until from telegram.waits where account_id = $1;

-- name: save_wait
-- Why the account sends nothing now.
insert into telegram.waits (account_id, workspace_id, waiting_for, until) values ($1, $2, $3, $4)
on conflict (account_id) do update set waiting_for = excluded.waiting_for, until = excluded.until;

-- name: forget_wait
-- Nothing keeps it any more.
delete from telegram.waits where account_id = $1;
