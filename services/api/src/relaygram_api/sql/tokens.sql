-- name: token_by_id
-- Before a workspace is known: a security-definer function sees the one row.
select id, workspace_id, user_id, secret_hash, abilities, expires_at, revoked_at, last_used_at, disabled_at from control.token_by_id($1)

-- name: user_by_email
select id, workspace_id, email, name, password_hash, disabled_at from control.user_by_email($1)

-- name: note_token_use
-- Once a minute is enough to see which tokens are in use; requests that come at once note it once.
update control.api_tokens set last_used_at = now()
 where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')

-- name: insert_token
insert into control.api_tokens (workspace_id, user_id, name, secret_hash, abilities, expires_at)
values ($1, $2, $3, $4, $5, $6)
returning id, name, abilities, expires_at, last_used_at, created_at

-- name: count_tokens
select count(*) from control.api_tokens
 where user_id = $1 and revoked_at is null and (expires_at is null or expires_at > now())

-- name: list_tokens
select id, name, abilities, expires_at, last_used_at, created_at from control.api_tokens
 where user_id = $1 and revoked_at is null and (expires_at is null or expires_at > now())
 order by id desc limit $2 offset $3

-- name: revoke_token
update control.api_tokens set revoked_at = now() where id = $1 and user_id = $2 and revoked_at is null returning id

-- name: token_exists
select id from control.api_tokens where id = $1 and user_id = $2 and revoked_at is null

-- name: me
select u.id, u.email, u.name, w.id as workspace_id, w.name as workspace_name,
       t.id as token_id, t.name as token_name, t.abilities, t.expires_at
  from control.users u
  join control.workspaces w on w.id = u.workspace_id
  join control.api_tokens t on t.id = $2 and t.user_id = u.id
 where u.id = $1
