-- name: insert_workspace
insert into control.workspaces (name) values ($1) on conflict (name) do nothing returning id

-- name: workspace_by_name
select id from control.workspaces where name = $1

-- name: list_workspaces
select w.id, w.name, w.created_at,
       (select count(*) from control.users u where u.workspace_id = w.id and u.disabled_at is null) as users
  from control.workspaces w order by w.id

-- name: insert_user
insert into control.users (workspace_id, email, name, password_hash) values ($1, $2, $3, $4)
on conflict (lower(email)) do nothing returning id

-- name: list_users
-- $1: a workspace's name, or null for all.
select u.id, w.name as workspace, u.email, u.name, u.disabled_at, u.created_at
  from control.users u join control.workspaces w on w.id = u.workspace_id
 where $1::text is null or w.name = $1 order by u.id

-- name: user_by_email
select u.id, w.name as workspace, u.email, u.name, u.disabled_at, u.created_at
  from control.users u join control.workspaces w on w.id = u.workspace_id where lower(u.email) = lower($1)

-- name: disable_user
-- Who is disabled already keeps the time of the first.
update control.users set disabled_at = coalesce(disabled_at, now()) where id = $1

-- name: enable_user
update control.users set disabled_at = null where id = $1

-- name: set_password
update control.users set password_hash = $2 where id = $1

-- name: insert_token
insert into control.api_tokens (workspace_id, user_id, name, secret_hash, abilities, expires_at)
select u.workspace_id, u.id, $2, $3, $4, $5 from control.users u where lower(u.email) = lower($1)
returning id

-- name: list_tokens
-- $1: a user's e-mail, or null for all; $2: also those that are revoked or expired.
select t.id, u.email, t.name, t.abilities, t.expires_at, t.revoked_at, t.last_used_at, t.created_at
  from control.api_tokens t join control.users u on u.id = t.user_id
 where ($1::text is null or lower(u.email) = lower($1))
   and ($2 or t.revoked_at is null and (t.expires_at is null or t.expires_at > now()))
 order by t.id

-- name: revoke_token
update control.api_tokens set revoked_at = now() where id = $1 and revoked_at is null returning id

-- name: revoke_tokens_of_user
update control.api_tokens set revoked_at = now() where user_id = $1 and revoked_at is null returning id
