-- name: insert_account
insert into control.telegram_accounts (workspace_id, name, kind, limits) values ($1, $2, $3, $4) returning id

-- name: count_accounts
select count(*) from control.telegram_accounts where deleted_at is null

-- name: list_accounts
-- `telegram.usage` holds one-minute buckets of attempts; the day is UTC's. A gateway counts while it says that it lives.
select a.id, a.name, a.kind, a.telegram_user_id, a.handle, a.status, a.status_reason, a.backing_off_until, a.limits,
       f.owner as gateway, coalesce(u.hour, 0) as sent_last_hour, coalesce(u.day, 0) as sent_today
  from control.telegram_accounts a
  left join lateral (
      select e.owner from telegram.fences e join telegram.gateways g on g.instance = e.owner
       where e.account_id = a.id and e.running and g.seen_at > now() - interval '10 seconds') f on true
  left join lateral (
      select sum(m.sends) filter (where m.minute > now() - interval '1 hour') as hour,
             sum(m.sends) filter (where m.minute >= date_trunc('day', now(), 'UTC')) as day
        from telegram.usage m where m.account_id = a.id and m.minute > now() - interval '25 hours') u on true
 where a.deleted_at is null and a.id > $1
 order by a.id limit $2 offset $3

-- name: get_account
select a.id, a.name, a.kind, a.telegram_user_id, a.handle, a.status, a.status_reason, a.backing_off_until, a.limits,
       f.owner as gateway, coalesce(u.hour, 0) as sent_last_hour, coalesce(u.day, 0) as sent_today
  from control.telegram_accounts a
  left join lateral (
      select e.owner from telegram.fences e join telegram.gateways g on g.instance = e.owner
       where e.account_id = a.id and e.running and g.seen_at > now() - interval '10 seconds') f on true
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

-- name: put_account_connection
insert into control.account_connections (account_id, workspace_id, api_id, api_hash_sealed, proxy_sealed)
values ($1, $2, $3, $4, $5)

-- name: set_account_proxy
insert into control.account_connections (account_id, workspace_id, proxy_sealed) values ($1, $2, $3)
on conflict (account_id) do update set proxy_sealed = excluded.proxy_sealed

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
