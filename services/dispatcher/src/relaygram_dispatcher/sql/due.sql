-- name: campaign_content
-- What the messages of a campaign share, with its steps as they are now.
select c.body as template, control.content_type(c.attachments) as content_type, c.reference, c.entity_id, c.application_id,
       c.started_by_schedule as scheduled, a.handle as account_handle, a.telegram_user_id as account_user_id,
       coalesce((select jsonb_agg(jsonb_build_object('identity', s.identity, 'position', s.position, 'body', s.body,
                                                     'delay_seconds', s.delay_seconds, 'followups', s.followups,
                                                     'content_type', control.content_type(s.attachments))
                                  order by s.position)
                   from control.steps s where s.campaign_id = c.id), '[]') as steps
  from control.campaigns c join control.telegram_accounts a on a.id = c.telegram_account_id
 where c.id = $1 and c.deleted_at is null and c.status = 'running'

-- name: due_page
-- Rows whose time has come, oldest first, with their people: of those that are counted already at most $2, and of all
-- others at most $3. Each half reads as many entries of its index as it returns, or few more.
select d.job_id, d.contact_id, d.trigger, d.step_identity, d.step, d.follow_up, d.due_at, d.follows_at,
       d.triggered_by_message_id, d.expires_at, d.counted,
       p.id, p.telegram_user_id, p.handle, p.first_name, p.last_name, p.columns,
       case when c.quiet_hours is not null and d.trigger <> 'auto_reply'
            then control.quiet_until(c.quiet_hours, coalesce(p.time_zone, c.time_zone), now()) end as quiet_until
  from (select * from (select * from dispatch.due o
                        where o.campaign_id = $1 and o.published_at is null and o.counted and o.due_at <= now()
                        order by o.due_at, o.job_id limit $2) again
        union all
        select * from (select * from dispatch.due o
                        where o.campaign_id = $1 and o.published_at is null and o.due_at <= now() and not o.counted
                        order by o.due_at, o.job_id limit $3) fresh) d
  join control.campaigns c on c.id = d.campaign_id and c.status = 'running' and c.deleted_at is null
  left join control.contacts p on p.id = d.contact_id and p.campaign_id = d.campaign_id

-- name: begin_due
select dispatch.begin_due($1, $2, $3)

-- name: mark_published
select dispatch.mark_published($1, $2, $3)

-- name: put_off
select dispatch.put_off($1, $2, $3, $4)

-- name: publish_again
select dispatch.publish_again($1, $2, $3)

-- name: plan_page
select dispatch.plan_page($1, $2, $3, $4)

-- name: note_plan
update dispatch.runs set planned_changes = $3 where campaign_id = $1 and epoch = $2 returning run_id

-- name: clear_page
select dispatch.clear_page($1, $2, $3)

-- name: note_waiting
select control.note_waiting($1, $2, $3)

-- name: prune_enrollments
-- People of campaigns that ended, where the dispatcher died before it had cleared them. Campaign by campaign along the
-- index, of which there are few.
with recursive campaign as (
    (select campaign_id from dispatch.enrollments order by campaign_id limit 1)
    union all
    select (select e.campaign_id from dispatch.enrollments e where e.campaign_id > c.campaign_id order by e.campaign_id limit 1)
      from campaign c where c.campaign_id is not null
), ended as (
    select c.campaign_id from campaign c
      join control.campaigns k on k.id = c.campaign_id and (k.status in ('stopped', 'completed') or k.deleted_at is not null)
     where not exists (select from dispatch.runs r where r.campaign_id = c.campaign_id and r.finished_at is null)
     limit 1
), old as (
    delete from dispatch.enrollments e using ended c
     where e.campaign_id = c.campaign_id and e.contact_id = any (array(
        select o.contact_id from dispatch.enrollments o join ended n on n.campaign_id = o.campaign_id
         order by o.contact_id limit $1))
    returning 1
)
select count(*) from old
