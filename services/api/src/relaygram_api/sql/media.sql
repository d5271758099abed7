-- name: existing_media
select id from control.media where id = any ($1::bigint[])

-- name: get_media
select id, kind, mime_type, file_name, size_bytes, sha256, created_at from control.media where id = $1

-- name: allow_long_write
-- Many chunks may take longer than the role's transaction_timeout allows everybody else; they are all here already.
select set_config('transaction_timeout', '60s', true), set_config('idle_in_transaction_session_timeout', '30s', true)

-- name: insert_media
insert into control.media (workspace_id, kind, mime_type, file_name, size_bytes, sha256)
values ($1, $2, $3, $4, $5, $6) returning id

-- name: insert_media_chunk
insert into control.media_chunks (media_id, chunk, workspace_id, data) values ($1, $2, $3, $4)
