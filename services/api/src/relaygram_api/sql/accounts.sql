-- name: insert_account
insert into control.telegram_accounts (workspace_id, name, kind, limits) values ($1, $2, $3, $4) returning id

-- name: count_accounts
select count(*) from control.telegram_accounts where deleted_at is null

-- name: list_accounts
-- `telegram.usage` holds one-minute buckets of attempts; the day is UTC's.
select a.id, a.name, a.kind, a.telegram_user_id, a.handle, a.status, a.status_reason, a.backing_off_until, a.limits,
       f.owner as gateway, coalesce(u.hour, 0) as sent_last_hour, coalesce(u.day, 0) as sent_today
  from control.telegram_accounts a
  left join telegram.fences f on f.account_id = a.id
  left join lateral (
      select sum(m.sends) filter (where m.minute > now() - interval '1 hour') as hour,
             sum(m.sends) filter (where m.minute >= date_trunc('day', now(), 'UTC')) as day
        from telegram.usage m where m.account_id = a.id and m.minute > now() - interval '25 hours') u on true
 where a.deleted_at is null
 order by a.id limit $1 offset $2

-- name: get_account
select a.id, a.name, a.kind, a.telegram_user_id, a.handle, a.status, a.status_reason, a.backing_off_until, a.limits,
       f.owner as gateway, coalesce(u.hour, 0) as sent_last_hour, coalesce(u.day, 0) as sent_today
  from control.telegram_accounts a
  left join telegram.fences f on f.account_id = a.id
  left join lateral (
      select sum(m.sends) filter (where m.minute > now() - interval '1 hour') as hour,
             sum(m.sends) filter (where m.minute >= date_trunc('day', now(), 'UTC')) as day
        from telegram.usage m where m.account_id = a.id and m.minute > now() - interval '25 hours') u on true
 where a.id = $1 and a.deleted_at is null

-- name: account_exists
select id from control.telegram_accounts where id = $1 and deleted_at is null

-- name: lock_account
select id, name, kind, status, limits from control.telegram_accounts where id = $1 and deleted_at is null for update

-- name: update_account
update control.telegram_accounts set name = $2, limits = $3, version = version + 1, updated_at = now() where id = $1

-- name: put_login_secret
-- A second code replaces one that no gateway has taken yet.
insert into control.login_secrets (account_id, kind, workspace_id, sealed) values ($1, $2, $3, $4)
on conflict (account_id, kind) do update set sealed = excluded.sealed, created_at = now()

-- name: ring
select control.ring($1, $2, $3)

-- name: log_out_account
select outcome from control.account_transition($1, $2, 'logged_out', 'user')

-- name: begin_login_again
select outcome from control.account_transition($1, $2, 'new', null)

-- name: delete_account
update control.telegram_accounts set deleted_at = now(), updated_at = now() where id = $1

-- name: delete_login_secrets
delete from control.login_secrets where account_id = $1
