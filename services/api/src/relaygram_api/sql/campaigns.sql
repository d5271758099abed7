-- name: count_campaigns
select count(*) from control.campaigns
 where deleted_at is null and ($1::text is null or status = $1) and ($2::text is null or mode = $2)
   and ($3::text is null or name ilike $3)

-- name: list_campaigns
-- The ids are chosen before the counters are joined, so that a deep page joins no more than it shows. The total comes
-- along, to save a round trip; it counts all pages.
select c.*, k.pending, k.sent, k.failed, k.read, k.replied,
       (select count(*) from control.campaigns
         where deleted_at is null and ($1::text is null or status = $1) and ($2::text is null or mode = $2)
           and ($3::text is null or name ilike $3)) as total
  from (select * from control.campaigns
         where deleted_at is null and ($1::text is null or status = $1) and ($2::text is null or mode = $2)
           and ($3::text is null or name ilike $3) and ($4::bigint is null or id < $4)
         order by id desc limit $5 offset $6) c
  left join delivery.campaign_counters k on k.campaign_id = c.id
 order by c.id desc

-- name: get_campaign
select c.*, k.pending, k.sent, k.failed, k.read, k.replied
  from control.campaigns c left join delivery.campaign_counters k on k.campaign_id = c.id
 where c.id = $1 and c.deleted_at is null

-- name: campaign_exists
select id from control.campaigns where id = $1 and deleted_at is null

-- name: campaign_existed
-- A deleted campaign's log stays readable.
select id from control.campaigns where id = $1

-- name: lock_campaign
select id, version, status, name, mode, trigger_keyword, body, telegram_account_id, scheduled_at, time_zone, quiet_hours, reference,
       entity_id, application_id, attachments, asks_for, total_contacts, contact_columns
  from control.campaigns where id = $1 and deleted_at is null for no key update

-- name: insert_campaign
-- A draft that waits for its time is announced to the dispatcher; any other is nobody's business yet.
with made as (
    insert into control.campaigns (workspace_id, name, mode, trigger_keyword, body, telegram_account_id, scheduled_at, time_zone,
                                   quiet_hours, reference, entity_id, application_id, attachments, asks_for)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    returning id, workspace_id, version, scheduled_at
)
select m.id, r from made m left join lateral (
    select control.ring(m.workspace_id, format('campaign.command.create.%s.%s', m.workspace_id, m.id),
        jsonb_build_object('workspace_id', m.workspace_id, 'campaign_id', m.id, 'version', m.version)) as r
     where m.scheduled_at is not null) r on true

-- name: update_campaign
with changed as (
    update control.campaigns
       set name = $2, mode = $3, trigger_keyword = $4, body = $5, telegram_account_id = $6, scheduled_at = $7, time_zone = $8,
           quiet_hours = $9, reference = $10, entity_id = $11, application_id = $12, attachments = $13, asks_for = $14,
           version = version + 1, updated_at = now()
     where id = $1
    returning id, workspace_id, version
)
select control.ring(workspace_id, format('campaign.command.update.%s.%s', workspace_id, id),
    jsonb_build_object('workspace_id', workspace_id, 'campaign_id', id, 'version', version)) from changed

-- name: delete_campaign
select control.delete_campaign($1, $2, $3)

-- name: transition
select outcome from control.transition($1, $2, $3, $4)
