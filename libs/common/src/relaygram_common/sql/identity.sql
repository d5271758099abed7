-- name: insert_workspace
insert into control.workspaces (name) values ($1) on conflict (name) do nothing

-- name: workspace_by_name
select id from control.workspaces where name = $1

-- name: insert_user
insert into control.users (workspace_id, email, name, password_hash) values ($1, $2, $3, $4)
on conflict (lower(email)) do nothing returning id

-- name: insert_token
insert into control.api_tokens (workspace_id, user_id, name, secret_hash, abilities)
select u.workspace_id, u.id, $2, $3, $4 from control.users u where lower(u.email) = lower($1)
returning id
