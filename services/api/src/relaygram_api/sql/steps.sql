-- name: list_steps
select step_id, identity, position, body, delay_seconds, attachments, followups
  from control.steps where campaign_id = $1 order by position

-- name: delete_steps
delete from control.steps where step_id = any ($1)

-- name: update_step
update control.steps
   set position = $2, body = $3, delay_seconds = $4, attachments = $5, followups = $6 where step_id = $1

-- name: insert_step
-- Its identity is its number, unless it takes the body's place.
with number as (select nextval('control.steps_step_id_seq') as step_id)
insert into control.steps (step_id, workspace_id, campaign_id, identity, position, body, delay_seconds, attachments, followups)
overriding system value
select n.step_id, $1, $2, coalesce($3, n.step_id), $4, $5, $6, $7, $8 from number n
returning step_id, identity

-- name: steps_changed
-- A new version of the campaign, and the doorbell: who holds its messages reads them anew.
with changed as (
    update control.campaigns set asks_for = $2, version = version + 1, updated_at = now() where id = $1
    returning id, workspace_id, version
)
select control.ring(workspace_id, format('campaign.command.update.%s.%s', workspace_id, id),
    jsonb_build_object('workspace_id', workspace_id, 'campaign_id', id, 'version', version)) from changed
