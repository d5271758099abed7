-- name: first_preview_reader
select id as sender_id, first_name, last_name, handle, columns
  from control.contacts where campaign_id = $1 order by id limit 1

-- name: preview_reader
select id as sender_id, first_name, last_name, handle, columns
  from control.contacts where campaign_id = $1 and id = $2
