-- name: open_runs
-- Each running campaign has a run; the first look at it makes one.
insert into dispatch.runs (campaign_id, workspace_id, account_id)
select c.id, c.workspace_id, c.telegram_account_id
  from control.campaigns c
 where c.status = 'running' and c.deleted_at is null
   and not exists (select from dispatch.runs r where r.campaign_id = c.id)
on conflict (campaign_id) do nothing

-- name: hold_runs
-- Renews the leases of runs this process works ($3) when a third of their time is gone, and takes free or expired ones.
-- `epoch` grows with each taking, also by a process of the same name: who worked the run before can write no more.
with wanted as (
    select r.campaign_id from dispatch.runs r
     where r.finished_at is null
       and (r.lease_until is null or r.lease_until < now()
            or r.lease_owner = $1 and (r.campaign_id <> all ($3::bigint[])
                                       or r.lease_until < now() + make_interval(secs => $2::float8 * 2 / 3)))
     order by r.campaign_id
     limit $4
       for update skip locked
)
update dispatch.runs r
   set epoch = r.epoch + case when r.lease_owner = $1 and r.campaign_id = any ($3::bigint[]) then 0 else 1 end,
       lease_owner = $1,
       lease_until = now() + make_interval(secs => $2::float8)
  from wanted w where r.campaign_id = w.campaign_id
returning r.campaign_id

-- name: release_runs
-- A dispatcher that ends as told lets others go on at once.
update dispatch.runs set lease_until = null where lease_owner = $1 and finished_at is null

-- name: held_runs
-- All that decides what a run needs next, as of one moment. Whatever waits in dispatch.due, each part is a probe of an
-- index: with an order and a limit it can be nothing else. `postponed` counts no further than a run works ahead.
select r.run_id, r.campaign_id, r.workspace_id, r.account_id, r.epoch, r.jobs_made, r.expanded_generation,
       r.plan_changes, r.planned_changes, r.followed_revision, c.mode,
       c.status, c.deleted_at is not null as deleted, c.contacts_generation, c.next_send_at, c.waiting_for,
       exists (select from control.imports i where i.campaign_id = r.campaign_id and i.status in ('queued', 'running')) as importing,
       coalesce(k.last_position, 0) as rows, coalesce(k.pending, 0) as pending, coalesce(k.sent + k.failed, 0) as finals,
       coalesce(k.last_revision, 0) as last_revision, a.limits,
       exists (select from control.steps s where s.campaign_id = r.campaign_id) as has_steps,
       (n.due_at is not null or postponed.count > 0 or p.published_at is not null) as has_due,
       p.published_at is not null as has_published,
       postponed.count as postponed, again.due_at as again_at,
       least(n.due_at, again.due_at) as next_due_at,
       coalesce(case when n.due_at <= again.due_at or again.due_at is null then n.quiet else again.quiet end, false) as next_is_quiet,
       w.waiting_for as account_waiting_for, w.until as account_waits_until, now() as read_at
  from dispatch.runs r
  join control.campaigns c on c.id = r.campaign_id
  join control.telegram_accounts a on a.id = r.account_id
  left join delivery.campaign_counters k on k.campaign_id = r.campaign_id
  left join telegram.waits w on w.account_id = r.account_id
  left join lateral (
      select d.due_at, d.quiet from dispatch.due d
       where d.campaign_id = r.campaign_id and d.published_at is null and not d.counted
       order by d.due_at, d.job_id limit 1) n on true
  left join lateral (
      select d.due_at, d.quiet from dispatch.due d
       where d.campaign_id = r.campaign_id and d.published_at is null and d.counted
       order by d.due_at, d.job_id limit 1) again on true
  left join lateral (
      select d.published_at from dispatch.due d where d.campaign_id = r.campaign_id and d.published_at is not null
       order by d.published_at limit 1) p on true
  left join lateral (
      select count(*) as count
        from (select from dispatch.due d
               where d.campaign_id = r.campaign_id and d.published_at is null and d.counted
               order by d.due_at, d.job_id limit 20000) o) postponed on true
 where r.lease_owner = $1 and r.lease_until > now() and r.finished_at is null

-- name: run_page
-- The next people after the cursor and what their messages share, of one snapshot: an empty page (one row without a
-- contact) means that everybody of this very generation has been seen. No row: the run is not ours any more, or is
-- not to be expanded now.
select now() as read_at, r.cursor_contact_id, r.jobs_made, c.contacts_generation, coalesce(k.sent + k.failed, 0) as finals,
       c.body as template, case c.attachments when '{}' then 'text' else control.content_type(c.attachments) end as content_type,
       c.reference, c.entity_id, c.application_id, c.started_by_schedule as scheduled,
       a.handle as account_handle, a.telegram_user_id as account_user_id,
       p.id, p.telegram_user_id, p.handle, p.first_name, p.last_name, p.columns,
       case when c.quiet_hours is not null
            then control.quiet_until(c.quiet_hours, coalesce(p.time_zone, c.time_zone), now()) end as quiet_until
  from dispatch.runs r
  join control.campaigns c on c.id = r.campaign_id and c.status = 'running' and c.deleted_at is null
  join control.telegram_accounts a on a.id = r.account_id
  left join delivery.campaign_counters k on k.campaign_id = r.campaign_id
  left join lateral (
      (select q.id, q.telegram_user_id, q.handle, q.first_name, q.last_name, q.columns, q.time_zone from control.contacts q
        where q.campaign_id = r.campaign_id and q.id > r.cursor_contact_id
        order by q.id limit $3)
      union all
      -- A page that was begun before is done again, also for those who were taken out since.
      (select f.contact_id, null, null, null, null, '{}', null from control.former_contacts f
        where f.campaign_id = r.campaign_id and f.contact_id > r.cursor_contact_id and f.has_job
        order by f.contact_id limit $3)
      order by 1 limit $3) p on true
 where r.campaign_id = $1 and r.epoch = $2 and r.finished_at is null
 order by p.id

-- name: begin_page
-- Before anything of a page is published: who of it was taken out, and gets no job.
select dispatch.begin_page($1, $2, $3, $4)

-- name: advance_run
-- After both acknowledgements, from where the page began and in the own epoch only: nothing is counted twice. Who gets a
-- message later has a due row by the same transaction.
select dispatch.advance_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- name: mark_expanded
-- Everybody of generation $4 has a job. A contact added since then has made a newer generation.
update dispatch.runs set expanded_generation = $4
 where campaign_id = $1 and epoch = $2 and cursor_contact_id = $3 and finished_at is null
returning expanded_generation

-- name: new_epoch
-- Ends the expansion of a stopped campaign for whoever still believes to hold the run.
update dispatch.runs set epoch = epoch + 1 where campaign_id = $1 and epoch = $2 returning epoch

-- name: transition
-- The state table and its consequences (version, public event, doorbell) are the function's.
select outcome, status, version from control.transition($1, $2, $3, $4)

-- name: still_complete
-- Asked after transition() has locked the campaign, in the same transaction: an import commits before or waits.
select r.finished_at is null and r.expanded_generation = c.contacts_generation
       and not exists (select from control.imports i where i.campaign_id = c.id and i.status in ('queued', 'running'))
       and coalesce(k.sent + k.failed, 0) >= r.jobs_made and coalesce(k.pending, 0) = 0
       and not exists (select from dispatch.due d where d.campaign_id = c.id)
       and (r.followed_revision >= coalesce(k.last_revision, 0)
            or not exists (select from control.steps s where s.campaign_id = c.id))
  from dispatch.runs r
  join control.campaigns c on c.id = r.campaign_id
  left join delivery.campaign_counters k on k.campaign_id = c.id
 where r.campaign_id = $1 and r.epoch = $2

-- name: finish_run
update dispatch.runs set finished_at = now() where campaign_id = $1 and epoch = $2 and finished_at is null
returning run_id
