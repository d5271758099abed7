-- name: share_campaign_status
-- Held until the import's row is committed: the campaign does not complete in between.
select status from control.campaigns where id = $1 and deleted_at is null for share

-- name: campaign_status
select status from control.campaigns where id = $1 and deleted_at is null

-- name: insert_import
-- The lease is the upload's until all is there.
insert into control.imports (workspace_id, campaign_id, format, lease_until)
values ($1, $2, $3, now() + make_interval(secs => $4)) returning id

-- name: insert_import_chunk
with alive as (
    update control.imports set lease_until = now() + make_interval(secs => $5)
     where id = $1 and status = 'queued' and uploaded_at is null returning id
), kept as (
    insert into control.import_chunks (import_id, chunk, workspace_id, data) select id, $2, $3, $4 from alive
)
select count(*) > 0 from alive

-- name: finish_upload
update control.imports set uploaded_at = now(), lease_until = null
 where id = $1 and status = 'queued' and uploaded_at is null returning id

-- name: get_import
select id, campaign_id, status, received, accepted, duplicates, rejected, message, created_at, finished_at
  from control.imports where id = $1

-- name: import_exists
select id from control.imports where id = $1

-- name: fail_import
update control.imports set status = 'failed', message = $2, finished_at = now(), lease_until = null
 where id = $1 and status in ('queued', 'running')

-- name: count_import_errors
select count(*) from control.import_errors where import_id = $1

-- name: list_import_errors
select line, "column", value, reason from control.import_errors where import_id = $1 order by line, "column" limit $2 offset $3

-- name: next_import_errors
select line, "column", value, reason from control.import_errors
 where import_id = $1 and (line, "column") > ($2, $3) order by line, "column" limit $4

-- name: claim_import
select id, workspace_id, campaign_id, format, uploaded from control.claim_import($1)

-- name: renew_import
update control.imports set lease_until = now() + make_interval(secs => $2), received = $3
 where id = $1 and status = 'running'

-- name: begin_import
-- A million lines take longer than the role's transaction_timeout allows everybody else.
begin; set local relaygram.workspace_id = '{workspace_id}'; set local transaction_timeout = 0;
set local idle_in_transaction_session_timeout = '120s'

-- name: lock_contacts
-- Ids are drawn inside this lock: expansion by ascending id must not pass one that commits later.
select pg_advisory_xact_lock(hashtextextended('contacts of campaign ' || $1::bigint, 0))

-- name: import_is_running
select id from control.imports where id = $1 and status = 'running'

-- name: get_import_chunk
select data from control.import_chunks where import_id = $1 and chunk = $2

-- name: stage_tables
-- COPY writes to no table under row-level security, and contacts must be compared before they are added.
create temporary table incoming_contacts (
    line bigint primary key, telegram_user_id bigint, handle text, phone_sealed bytea, phone_hash bytea, first_name text, last_name text,
    tags text[], time_zone text, columns text) on commit drop;
create temporary table incoming_errors (line bigint, "column" text, value text, reason text) on commit drop

-- name: add_contacts
-- Of these lines, found by their index: a look at all that is staged, for each block, would take ever longer.
-- In the file's order, so that of two lines for one person the first stays; any of three addresses makes a duplicate.
with added as (
    insert into control.contacts (workspace_id, campaign_id, telegram_user_id, handle, phone_sealed, phone_hash, first_name,
                                  last_name, tags, time_zone, columns)
    select $1, $2, telegram_user_id, handle, phone_sealed, phone_hash, first_name, last_name, tags, time_zone, columns::jsonb
      from incoming_contacts where line between $3 and $4 order by line
    on conflict do nothing
    returning 1
)
select count(*) from added

-- name: add_import_errors
insert into control.import_errors (import_id, line, "column", workspace_id, value, reason)
select $2, line, "column", $1, value, reason from incoming_errors

-- name: delete_import_chunks
delete from control.import_chunks where import_id = $1

-- name: complete_import
update control.imports
   set status = 'completed', received = $2, accepted = $3, duplicates = $4, rejected = $5, finished_at = clock_timestamp(), lease_until = null
 where id = $1

-- name: count_new_contacts
-- One transaction adds contacts and counts them: an expansion that has seen this generation has seen them all.
with counted as (
    update control.campaigns
       set total_contacts = total_contacts + $2, contacts_generation = contacts_generation + 1, version = version + 1,
           contact_columns = case when $3::text[] <@ contact_columns then contact_columns else array(
               select distinct n from unnest(contact_columns || $3::text[]) n order by n limit 1000) end,
           updated_at = now()
     where id = $1 and deleted_at is null and status not in ('completed', 'stopped')
    returning id, workspace_id, version
)
select id, control.ring(workspace_id, format('campaign.command.contacts.%s.%s', workspace_id, id),
    jsonb_build_object('workspace_id', workspace_id, 'campaign_id', id, 'version', version)) from counted

-- name: anybody_erased
select exists (select from control.suppressions where workspace_id = $1 and person_hash is not null)

-- name: erased_since
-- What stays of erased people; ids grow in the order of commits, since all are drawn under one lock.
select id, person_hash from control.suppressions where workspace_id = $1 and person_hash is not null and id > $2

-- name: staged_addresses
select line, telegram_user_id, handle, phone_hash from incoming_contacts

-- name: stage_erased_errors
-- Without the value: it has just been erased everywhere else.
insert into incoming_errors (line, "column", value, reason)
select line, "column", null, $3 from unnest($1::bigint[], $2::text[]) as f (line, "column")

-- name: unstage_contacts
delete from incoming_contacts where line = any ($1::bigint[])

-- name: add_erased_errors
insert into control.import_errors (import_id, line, "column", workspace_id, value, reason)
select $2, line, "column", $1, null, $5 from unnest($3::bigint[], $4::text[]) as f (line, "column")

-- name: remove_added_contacts
-- Of this very transaction only: who was there before is the erasure's to remove.
with removed as (
    delete from control.contacts p using incoming_contacts i
     where i.line = any ($2::bigint[]) and p.campaign_id = $1 and p.xmin = pg_current_xact_id()::xid
       and (p.telegram_user_id = i.telegram_user_id or p.handle = i.handle or p.phone_hash = i.phone_hash)
    returning 1
)
select count(*) from removed
