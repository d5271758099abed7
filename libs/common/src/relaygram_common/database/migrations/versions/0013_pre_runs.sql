-- What a run does beside its cursor: due rows, what follows from the log, schedules, and why nothing moves.

alter table dispatch.due
    add column follows_at timestamptz,                  -- when the message before it was sent; null: it follows none
    add column quiet boolean not null default false;    -- `due_at` is when quiet hours end
comment on column dispatch.due.counted is
    'A counted row has a message in the log, or will have: it leaves only when that has its outcome.';
drop index dispatch.due_of_contact;
create index due_of_contact on dispatch.due (campaign_id, contact_id, job_id);
-- Every question about what waits says whether it counts already: those that do are few (put off by quiet hours, or to be
-- made again), and never to be looked for among the many that do not. So, whatever the planner takes the table for, an
-- order by these columns is this index.
drop index dispatch.due_next;
create index due_next on dispatch.due (campaign_id, counted, due_at, job_id) where published_at is null;
create index due_published on dispatch.due (campaign_id, published_at) where published_at is not null;

-- How often that has changed which due times rest on, and which of these changes they show already. Counted, not
-- compared: what was changed and changed back may have left its traces in between.
alter table dispatch.runs
    add column plan_changes bigint not null default 0,
    add column planned_changes bigint not null default 0;

create function dispatch.plan_changed() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
    v_row constant jsonb := to_jsonb(coalesce(new, old));
begin
    update dispatch.runs r set plan_changes = r.plan_changes + 1
     where r.campaign_id = (v_row ->> tg_argv[0])::bigint and r.finished_at is null;
    return null;
end
$$;
create trigger plan_changed after update of quiet_hours, time_zone on control.campaigns for each row
    when (old.quiet_hours is distinct from new.quiet_hours or old.time_zone is distinct from new.time_zone)
    execute function dispatch.plan_changed('id');
create trigger plan_changed after insert or delete on control.steps for each row
    execute function dispatch.plan_changed('campaign_id');
create trigger plan_changed_again after update of delay_seconds, followups on control.steps for each row
    when (old.delay_seconds <> new.delay_seconds or old.followups <> new.followups)
    execute function dispatch.plan_changed('campaign_id');

-- A page of people is done: those up to `p_until` have their jobs, or a due row each (`p_jobs`, by contact).
create function dispatch.advance_run(
    p_campaign bigint, p_epoch bigint, p_from bigint, p_until bigint, p_made bigint, p_enroll boolean,
    p_trigger text, p_identity bigint, p_jobs uuid[], p_contacts bigint[], p_due_at timestamptz[], p_quiet boolean[])
returns bigint
language plpgsql as $$
declare
    v_run dispatch.runs;
begin
    update dispatch.runs r set cursor_contact_id = p_until, jobs_made = r.jobs_made + p_made
     where r.campaign_id = p_campaign and r.epoch = p_epoch and r.cursor_contact_id = p_from and r.finished_at is null
    returning * into v_run;
    if not found then
        return null;
    end if;
    if p_enroll then
        insert into dispatch.enrollments (campaign_id, contact_id, workspace_id)
        select p_campaign, c, v_run.workspace_id from unnest(p_contacts) c order by c
        on conflict do nothing;
    end if;
    insert into dispatch.due (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, step_identity, due_at, quiet)
    select n.job_id, v_run.workspace_id, p_campaign, v_run.account_id, n.contact_id, p_trigger, p_identity, n.due_at, n.quiet
      from unnest(p_jobs, p_contacts, p_due_at, p_quiet) as n (job_id, contact_id, due_at, quiet)
     order by n.job_id
    on conflict (job_id) do nothing;
    return v_run.jobs_made;
end
$$;

-- These rows now get their event and their job: from here on they are counted, and leave only by their outcome. Returns
-- those that are still there; null: the run is not ours.
create function dispatch.begin_due(p_campaign bigint, p_epoch bigint, p_jobs uuid[]) returns uuid[]
language plpgsql as $$
declare
    v_begun uuid[];
    v_fresh bigint;
begin
    perform from dispatch.runs r
      where r.campaign_id = p_campaign and r.epoch = p_epoch and r.finished_at is null for no key update;
    if not found then
        return null;
    end if;
    select array_agg(b.job_id), count(*) filter (where not b.counted) into v_begun, v_fresh
      from (select o.job_id, o.counted from dispatch.due o where o.job_id = any (p_jobs) and o.published_at is null
             order by o.job_id for update) b;
    -- By a list of ids, here and below: what is joined the planner may read from end to end.
    update dispatch.due d set counted = true where d.job_id = any (v_begun) and not d.counted;
    update dispatch.runs r set jobs_made = r.jobs_made + v_fresh where r.campaign_id = p_campaign and v_fresh > 0;
    return coalesce(v_begun, '{}');
end
$$;

-- Their jobs are made. One that has met quiet hours since then is not any more, and has a later time. False: not ours.
create function dispatch.mark_published(p_campaign bigint, p_epoch bigint, p_jobs uuid[]) returns boolean
language plpgsql as $$
begin
    perform from dispatch.runs r
      where r.campaign_id = p_campaign and r.epoch = p_epoch and r.finished_at is null for share;
    if not found then
        return false;
    end if;
    -- Several rows are locked in the order of their ids, here as in defer().
    update dispatch.due d set published_at = now()
     where d.job_id = any (array(select o.job_id from dispatch.due o
                                  where o.job_id = any (p_jobs) and o.published_at is null and o.due_at <= now()
                                  order by o.job_id for update));
    return true;
end
$$;

-- Rows that met quiet hours before they became jobs. False: not ours.
create function dispatch.put_off(p_campaign bigint, p_epoch bigint, p_jobs uuid[], p_until timestamptz[]) returns boolean
language plpgsql as $$
begin
    perform from dispatch.runs r
      where r.campaign_id = p_campaign and r.epoch = p_epoch and r.finished_at is null for share;
    if not found then
        return false;
    end if;
    perform from dispatch.due o where o.job_id = any (p_jobs) order by o.job_id for update;
    update dispatch.due d set due_at = i.due_at, quiet = true
      from unnest(p_jobs, p_until) as i (job_id, due_at)
     where d.job_id = i.job_id and d.published_at is null;
    return true;
end
$$;

-- What follows from the log's changes after `p_from` up to `p_until`: due rows whose message has its outcome leave, and
-- those of the next messages come, unless the person has replied or was taken out. `p_fresh`: people who are enrolled by
-- this; who is already goes on elsewhere. `p_decided`: the rows in `p_done` leave because their messages have outcomes, and
-- count (one may not yet: its page was made twice, the first time before quiet hours, by a dispatcher that died); else they
-- never were messages. Returns how many rows came; null: not ours, or followed already.
create function dispatch.follow(
    p_campaign bigint, p_epoch bigint, p_from bigint, p_until bigint, p_decided boolean, p_done uuid[], p_fresh bigint[],
    p_jobs uuid[], p_contacts bigint[], p_triggers text[], p_identities bigint[], p_steps int[], p_follow_ups int[],
    p_due_at timestamptz[], p_follows_at timestamptz[])
returns bigint
language plpgsql as $$
declare
    v_run dispatch.runs;
    v_enrolled bigint[];
    v_uncounted bigint;
    v_came bigint;
begin
    update dispatch.runs r set followed_revision = p_until
     where r.campaign_id = p_campaign and r.epoch = p_epoch and r.followed_revision = p_from and r.finished_at is null
    returning * into v_run;
    if not found then
        return null;
    end if;
    -- Enrollments before due rows, as whoever notes a reply locks them.
    with enrolled as (
        insert into dispatch.enrollments (campaign_id, contact_id, workspace_id)
        select p_campaign, c, v_run.workspace_id from unnest(p_fresh) c order by c
        on conflict do nothing
        returning contact_id
    )
    select coalesce(array_agg(e.contact_id), '{}') into v_enrolled from enrolled e;
    -- A reply that is being noted at this moment is waited for, or finds the rows that come here.
    perform from dispatch.enrollments e where e.campaign_id = p_campaign and e.contact_id = any (p_contacts)
      order by e.contact_id for share;
    with gone as (
        delete from dispatch.due d where d.job_id = any (p_done) returning d.counted
    )
    select count(*) filter (where not g.counted) into v_uncounted from gone g;
    update dispatch.runs r set jobs_made = r.jobs_made + v_uncounted
     where r.campaign_id = p_campaign and p_decided and v_uncounted > 0;
    with came as (
        insert into dispatch.due (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, step_identity, step,
                                  follow_up, due_at, follows_at)
        select n.job_id, v_run.workspace_id, p_campaign, v_run.account_id, n.contact_id, n.trigger, n.step_identity, n.step,
               n.follow_up, n.due_at, n.follows_at
          from unnest(p_jobs, p_contacts, p_triggers, p_identities, p_steps, p_follow_ups, p_due_at, p_follows_at)
               as n (job_id, contact_id, trigger, step_identity, step, follow_up, due_at, follows_at)
          join control.contacts p on p.id = n.contact_id and p.campaign_id = p_campaign
          left join dispatch.enrollments e on e.campaign_id = p_campaign and e.contact_id = n.contact_id
         where e.replied_at is null and (n.contact_id <> all (p_fresh) or n.contact_id = any (v_enrolled))
         order by n.job_id
        on conflict (job_id) do nothing
        returning 1
    )
    select count(*) into v_came from came;
    return v_came;
end
$$;

-- Published rows whose message has no outcome, their queue being empty: their jobs are made again. Bounded by how far a
-- run works ahead. How many; null: not ours.
create function dispatch.publish_again(p_campaign bigint, p_epoch bigint, p_most int) returns bigint
language plpgsql as $$
declare
    v_count bigint;
    v_jobs uuid[];
begin
    perform from dispatch.runs r
      where r.campaign_id = p_campaign and r.epoch = p_epoch and r.finished_at is null for share;
    if not found then
        return null;
    end if;
    v_jobs := array(
        select o.job_id from dispatch.due o
          left join delivery.messages m on m.campaign_id = o.campaign_id and m.job_id = o.job_id
         where o.campaign_id = p_campaign and o.published_at is not null and coalesce(m.status, 'pending') = 'pending'
         order by o.published_at limit p_most);
    perform from dispatch.due o where o.job_id = any (v_jobs) order by o.job_id for update;
    update dispatch.due d set published_at = null where d.job_id = any (v_jobs);
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

-- Sets the due times of a page of waiting people anew, after steps or quiet hours have changed. What was removed is due at
-- once, for something else to take its place. Returns the last of them; 0: that was the last page; null: not ours.
create function dispatch.plan_page(p_campaign bigint, p_epoch bigint, p_after bigint, p_people int) returns bigint
language plpgsql as $$
declare
    v_until bigint;
begin
    perform from dispatch.runs r
      where r.campaign_id = p_campaign and r.epoch = p_epoch and r.finished_at is null for share;
    if not found then
        return null;
    end if;
    select coalesce(max(p.contact_id), 0) into v_until
      from (select d.contact_id from dispatch.due d where d.campaign_id = p_campaign and d.contact_id > p_after
             order by d.contact_id limit p_people) p;
    perform from dispatch.due o
      where o.campaign_id = p_campaign and o.contact_id > p_after and o.contact_id <= v_until and o.published_at is null
      order by o.job_id for update;
    update dispatch.due d set due_at = w.due_at, quiet = false
      from (select o.job_id,
                   coalesce(o.follows_at + case when o.trigger = 'follow_up'
                                                then make_interval(secs => (s.followups -> o.follow_up ->> 'after_hours')::float8 * 3600)
                                                else make_interval(secs => s.delay_seconds) end, now()) as due_at
              from dispatch.due o
              left join control.steps s on s.campaign_id = o.campaign_id and s.identity = o.step_identity
             where o.campaign_id = p_campaign and o.contact_id > p_after and o.contact_id <= v_until
               and o.published_at is null and (o.quiet or o.follows_at is not null)) w
     where d.job_id = w.job_id and w.due_at <> d.due_at;
    return v_until;
end
$$;

-- Nothing of an ended campaign is due any more; page by page, for there may be a million. How many left; null: not ours.
create function dispatch.clear_page(p_campaign bigint, p_epoch bigint, p_most int) returns bigint
language plpgsql as $$
declare
    v_due bigint;
    v_enrollments bigint;
begin
    perform from dispatch.runs r where r.campaign_id = p_campaign and r.epoch = p_epoch for share;
    if not found then
        return null;
    end if;
    delete from dispatch.due d where d.job_id = any (array(
        select o.job_id from dispatch.due o where o.campaign_id = p_campaign order by o.contact_id, o.job_id limit p_most));
    get diagnostics v_due = row_count;
    delete from dispatch.enrollments e where e.campaign_id = p_campaign and e.contact_id = any (array(
        select o.contact_id from dispatch.enrollments o where o.campaign_id = p_campaign order by o.contact_id limit p_most));
    get diagnostics v_enrollments = row_count;
    return v_due + v_enrollments;
end
$$;

-- As in 0012, and it says that quiet hours were the reason.
create or replace function dispatch.defer(p_jobs uuid[], p_campaigns bigint[], p_accounts bigint[], p_contacts bigint[],
                                          p_until timestamptz[]) returns void
language sql security definer set search_path = pg_catalog as $$
    insert into dispatch.due as d (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, due_at, counted, quiet)
    select j.job_id, c.workspace_id, j.campaign_id, j.account_id, j.contact_id, 'broadcast', j.due_at, true, true
      from unnest(p_jobs, p_campaigns, p_accounts, p_contacts, p_until) as j (job_id, campaign_id, account_id, contact_id, due_at)
      join control.campaigns c on c.id = j.campaign_id
     order by j.job_id
    on conflict (job_id) do update set due_at = excluded.due_at, published_at = null, quiet = true
$$;

-- What a running campaign waits for. It is no new version of the campaign: nobody changed it.
create function control.note_waiting(p_campaign bigint, p_next_send_at timestamptz, p_waiting_for text) returns void
language sql security definer set search_path = pg_catalog as $$
    update control.campaigns c set next_send_at = p_next_send_at, waiting_for = p_waiting_for
     where c.id = p_campaign and c.status = 'running'
       and (c.next_send_at, c.waiting_for) is distinct from (p_next_send_at, p_waiting_for)
$$;

-- Of all other campaigns this follows from the row itself. A `scheduled_at` that is changed or cleared, and a start, clear
-- what was said of an earlier one.
create function control.keep_waiting() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if tg_op = 'INSERT' or new.scheduled_at is distinct from old.scheduled_at or new.status <> 'draft' then
        new.misfire := null;
    end if;
    if new.status = 'draft' then
        new.next_send_at := case when new.misfire is null then new.scheduled_at end;
        new.waiting_for := case when new.next_send_at is not null then 'schedule' end;
    elsif new.status <> 'running' or old.status <> 'running' then
        new.next_send_at := null;
        new.waiting_for := case when new.status = 'paused' and new.status_reason = 'account_down' then 'account_down' end;
    end if;
    return new;
end
$$;
create trigger keep_waiting before insert or update of status, status_reason, scheduled_at, misfire on control.campaigns
    for each row execute function control.keep_waiting();
create index campaigns_scheduled on control.campaigns (scheduled_at)
    where status = 'draft' and scheduled_at is not null and misfire is null and deleted_at is null;

-- A draft whose time has passed without a start stays one and says why, once. False: it is no such draft (any more).
create function control.misfire(p_workspace bigint, p_campaign bigint, p_scheduled_at timestamptz, p_reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
declare
    c control.campaigns;
begin
    update control.campaigns k set misfire = p_reason, version = k.version + 1, updated_at = now()
     where k.id = p_campaign and k.workspace_id = p_workspace and k.status = 'draft' and k.deleted_at is null
       and k.scheduled_at = p_scheduled_at and k.misfire is null
    returning * into c;
    if not found then
        return false;
    end if;
    perform control.announce(c, 'misfire', 'failed_to_start', p_reason, 'schedule');
    return true;
end
$$;

revoke execute on function dispatch.advance_run, dispatch.begin_due, dispatch.mark_published, dispatch.put_off, dispatch.follow,
    dispatch.publish_again, dispatch.plan_page, dispatch.plan_changed, dispatch.clear_page, control.note_waiting,
    control.misfire, control.keep_waiting from public;
grant execute on function dispatch.advance_run, dispatch.begin_due, dispatch.mark_published, dispatch.put_off, dispatch.follow,
    dispatch.publish_again, dispatch.plan_page, dispatch.clear_page, control.note_waiting,
    control.misfire to relaygram_dispatcher;
