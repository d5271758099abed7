-- name: media_of_account
-- Where a file lies at Telegram, as this account may refer to it.
select m.kind, u.telegram_id, u.access_hash, u.file_reference
  from telegram.media u join control.media m on m.id = u.media_id
 where u.account_id = $1 and u.media_id = $2;

-- name: media_file
-- A file that is to be uploaded.
select kind, mime_type, file_name, size_bytes, sha256 from control.media where id = $1;

-- name: media_chunk
-- One piece of it: files are not read whole into memory.
select data from control.media_chunks where media_id = $1 and chunk = $2;

-- name: keep_media
-- Uploaded, before anything is sent of it. The id it had before stays known: a message that was sent by that one, and
-- whose outcome is open, is looked up by it.
insert into telegram.media as u (account_id, media_id, workspace_id, telegram_id, access_hash, file_reference)
values ($1, $2, $3, $4, $5, $6)
on conflict (account_id, media_id) do update
   set telegram_id = excluded.telegram_id, access_hash = excluded.access_hash,
       file_reference = excluded.file_reference, updated_at = now(),
       former_ids = case when u.telegram_id = excluded.telegram_id then u.former_ids
                         else (u.former_ids || u.telegram_id) [greatest(1, cardinality(u.former_ids) - 98):] end;

-- name: media_ids
-- Every id that the file had at Telegram for this account.
select telegram_id || former_ids as ids from telegram.media where account_id = $1 and media_id = $2;
