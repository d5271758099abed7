-- name: lock_people
-- Held by who adds a hash of an erased person or a suppression, shared by imports while they commit: so an import
-- either knows of the erasure, or its people are there to be found.
select pg_advisory_xact_lock(hashtextextended('people of workspace ' || $1::bigint, 0))

-- name: share_people
select pg_advisory_xact_lock_shared(hashtextextended('people of workspace ' || $1::bigint, 0))

-- name: contact_addresses
select telegram_user_id, handle, phone_hash from control.contacts where campaign_id = $1 and id = $2

-- name: remove_contact
select control.remove_contact($1, $2, $3, false)

-- name: take_erasures
-- Those of the same person that were broken off: who goes on takes over what they knew.
delete from control.erasures where workspace_id = $1 and person_hashes && $2::bytea[] returning addresses_sealed

-- name: known_addresses
-- Every line that has one of these addresses, with its others. One index probe a campaign and address.
with wanted as materialized (
    select id from control.campaigns where workspace_id = $1
)
select p.campaign_id, p.telegram_user_id, p.handle, p.phone_hash, p.phone_sealed
  from wanted c join control.contacts p on p.campaign_id = c.id and p.telegram_user_id = any ($2::bigint[])
union all
select p.campaign_id, p.telegram_user_id, p.handle, p.phone_hash, p.phone_sealed
  from wanted c join control.contacts p on p.campaign_id = c.id and p.handle = any ($3::text[])
union all
select p.campaign_id, p.telegram_user_id, p.handle, p.phone_hash, p.phone_sealed
  from wanted c join control.contacts p on p.campaign_id = c.id and p.phone_hash = any ($4::bytea[])
union all
select 0, t.telegram_user_id, t.handle, t.phone_hash, t.phone_sealed from control.single_sends t
 where t.workspace_id = $1
   and (t.telegram_user_id = any ($2::bigint[]) or t.handle = any ($3::text[]) or t.phone_hash = any ($4::bytea[]))
union all
select null, x.telegram_user_id, x.handle, x.phone_hash, x.phone_sealed from control.suppressions x
 where x.workspace_id = $1
   and (x.telegram_user_id = any ($2::bigint[]) or x.handle = any ($3::text[]) or x.phone_hash = any ($4::bytea[]))
union all
select null, q.telegram_user_id, q.handle, q.phone_hash, null from telegram.known_people($2, $3, $4) q

-- name: begin_erasure
insert into control.erasures (workspace_id, person_hashes, addresses_sealed) values ($1, $2, $3) returning id

-- name: keep_person_hashes
-- What stays of an erased person.
insert into control.suppressions (workspace_id, person_hash, reason)
select $1, h, 'erased' from unnest($2::bytea[]) h
on conflict (workspace_id, person_hash) where person_hash is not null do nothing

-- name: people_to_erase
select p.campaign_id, p.id
  from control.campaigns c
  join lateral (
      select a.campaign_id, a.id from control.contacts a where a.campaign_id = c.id and a.telegram_user_id = any ($2::bigint[])
      union
      select a.campaign_id, a.id from control.contacts a where a.campaign_id = c.id and a.handle = any ($3::text[])
      union
      select a.campaign_id, a.id from control.contacts a where a.campaign_id = c.id and a.phone_hash = any ($4::bytea[])
  ) p on true
 where c.workspace_id = $1
 order by p.campaign_id, p.id limit $5

-- name: former_to_erase
-- Contacts that were taken out before, known by their hashes only.
select campaign_id, contact_id as id from control.former_contacts
 where workspace_id = $1 and person_hashes && $2::bytea[] and erased_at is null
 order by campaign_id, contact_id limit $3

-- name: hold_admissions
select telegram.hold_admissions($1)

-- name: erase_contacts
select count(*) filter (where control.remove_contact(i.campaign_id, i.contact_id, '{}', true))
  from unnest($1::bigint[], $2::bigint[]) as i (campaign_id, contact_id)

-- name: erase_former_contacts
update control.former_contacts f set erased_at = now(), person_hashes = '{}'
  from unnest($1::bigint[], $2::bigint[]) as i (campaign_id, contact_id)
 where f.campaign_id = i.campaign_id and f.contact_id = i.contact_id

-- name: jobs_under_way
-- Of these contacts: what becomes a message, or has become one that the log does not know yet. (A broadcast's has no row.)
select d.job_id from unnest($1::bigint[], $2::bigint[]) as i (campaign_id, contact_id)
  join dispatch.due d on d.campaign_id = i.campaign_id and d.contact_id = i.contact_id

-- name: erase_inbound
select dispatch.erase_inbound($1)

-- name: hold_test_admissions
select telegram.hold_admissions(array(
    select t.campaign_id from control.single_sends t
     where t.workspace_id = $1
       and (t.telegram_user_id = any ($2::bigint[]) or t.handle = any ($3::text[]) or t.phone_hash = any ($4::bytea[]))))

-- name: erase_test_sends
-- Their rows in the log are found by the line that stays, as those of contacts are.
with gone as (
    delete from control.single_sends t
     where t.workspace_id = $1
       and (t.telegram_user_id = any ($2::bigint[]) or t.handle = any ($3::text[]) or t.phone_hash = any ($4::bytea[]))
    returning t.id, t.job_id
), kept as (
    insert into control.former_contacts (campaign_id, contact_id, workspace_id, erased_at) select 0, g.id, $1, now() from gone g
    on conflict do nothing
)
select id, job_id from gone

-- name: erase_messages
select e as job_id from delivery.erase_messages($1, $2, $3, $4) e

-- name: erase_sends
select telegram.erase_sends($1)

-- name: erase_peers
select telegram.erase_people($1, $2, $3)

-- name: erase_suppressions
with gone as (
    delete from control.suppressions x
     where x.workspace_id = $1
       and (x.telegram_user_id = any ($2::bigint[]) or x.handle = any ($3::text[]) or x.phone_hash = any ($4::bytea[]))
    returning 1
)
select count(*) from gone

-- name: end_erasure
delete from control.erasures where id = $1

-- name: imports_with_errors
select id from control.imports where workspace_id = $1 and rejected > 0 and id > $2 order by id limit 100

-- name: erase_import_errors
-- A piece of a report: values in which an address stands, as a word ($4) or, of phones, by its digits ($5).
with piece as materialized (
    select line, "column", value from control.import_errors
     where import_id = $1 and (line, "column") > ($2, $3) order by line, "column" limit $6
), erased as (
    update control.import_errors e set value = null
      from piece p
     where e.import_id = $1 and e.line = p.line and e."column" = p."column"
       and (p.value ~* $4 or regexp_replace(p.value, '[^0-9]', '', 'g') = any ($5::text[]))
    returning 1
), last as (
    select line, "column" from piece order by line desc, "column" desc limit 1
)
select (select count(*) from erased) as erased, (select count(*) from piece) as read,
       (select line from last) as line, (select "column" from last) as column
