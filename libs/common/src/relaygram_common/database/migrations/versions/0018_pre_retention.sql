-- Rows leave the log when they are old: from the beginning of each campaign's positions, which so stay dense.

-- The youngest row that has left was made then; null: none has.
alter table delivery.campaign_counters add column left_until timestamptz;
-- Asked by each batch of events; empty as long as nothing ever left.
create index counters_trimmed on delivery.campaign_counters (campaign_id) where left_until is not null;

-- Of all log-writers one at a time clears up, so that the log's lock is free for longer than it is held.
create table delivery.retention (
    single boolean primary key default true check (single),
    owner text not null default '',
    until timestamptz not null default '-infinity'
);
insert into delivery.retention default values;

-- Is it this one's turn, or still? Who falls silent is followed by another one after half a minute.
create function delivery.claim_retention(p_owner text) returns boolean
language sql security definer set search_path = pg_catalog as $$
    with claimed as (
        update delivery.retention set owner = p_owner, until = clock_timestamp() + interval '30 seconds'
         where owner = p_owner or until < clock_timestamp()
        returning true
    )
    select exists (select from claimed)
$$;

-- Some logs whose first row is old and decided, in the order of their ids after one. A probe for each that has rows.
create function delivery.old_logs(p_keep interval, p_after bigint, p_most int) returns table (campaign_id bigint)
language sql stable set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    select k.campaign_id
      from delivery.campaign_counters k
     cross join lateral (select m.created_at, m.rank from delivery.messages m
                          where m.campaign_id = k.campaign_id and m.position = k.first_position limit 1) m
     where k.campaign_id > p_after and k.first_position <= k.last_position and m.created_at < now() - p_keep and m.rank >= 2
     order by k.campaign_id limit p_most
$$;

-- The ledger knows as long as the log does what became of a message. A broadcast that still runs keeps its rows: by them its
-- dispatcher knows that who has no row in the log any more had a message.
create function telegram.forget_sends(p_campaign bigint, p_job_id uuid[]) returns void
language sql security definer set search_path = pg_catalog as $$
    delete from telegram.sends s
     where s.job_id = any (p_job_id) and s.campaign_id = p_campaign and s.state <> 'sending'
       and not exists (select from dispatch.runs r join control.campaigns c on c.id = r.campaign_id
                        where r.campaign_id = p_campaign and r.finished_at is null and c.mode = 'broadcast')
$$;

-- Takes the first rows of a log, at most `p_most`, up to the first that is younger, has no outcome yet, or that a running
-- campaign still needs: its outcome was not followed, or its person has a further step to come. Lifetime counters stay.
-- Planned each time: a plan made for an empty log and kept looks through more of a full one than it takes.
-- Returns how many left, and for how many milliseconds the log's lock was held; nothing when it is another one's turn.
create function delivery.trim_log(p_owner text, p_campaign bigint, p_keep interval, p_most int)
returns table (rows_left bigint, held_ms double precision)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_custom_plan as $$
declare
    v_held timestamptz;
    v_first bigint;
    v_next bigint;
    v_followed bigint;
    v_has_due boolean;
    v_jobs uuid[];
begin
    if not delivery.claim_retention(p_owner) then
        return;
    end if;
    -- As write_messages(): first the lock, then statements whose snapshot is younger than it.
    perform pg_advisory_xact_lock(7205759403);
    v_held := clock_timestamp();
    select k.first_position, least(k.last_position + 1, k.first_position + p_most) into v_first, v_next
      from delivery.campaign_counters k where k.campaign_id = p_campaign;
    -- In this order: what follows from an outcome is due in the transaction that says it was followed.
    v_followed := (select r.followed_revision from dispatch.runs r
                    where r.campaign_id = p_campaign and r.finished_at is null
                      and exists (select from control.steps s where s.campaign_id = p_campaign));
    v_has_due := p_campaign > 0 and exists (select from dispatch.due d where d.campaign_id = p_campaign);
    v_next := coalesce(
        (select m.position from delivery.messages m
          where m.campaign_id = p_campaign and m.position >= v_first and m.position < v_next
            and (m.created_at >= now() - p_keep or m.rank < 2 or m.revision > v_followed
                 or (v_has_due and exists (select from dispatch.due d
                                            where d.campaign_id = p_campaign and d.contact_id = m.sender_id)))
          order by m.position limit 1), v_next);

    with gone as (
        delete from delivery.messages m
         where m.campaign_id = p_campaign and m.position >= v_first and m.position < v_next
        returning m.job_id, m.status, m.created_at, m.error_code
    ), counted as (
        select count(*) as rows, array_agg(g.job_id) as jobs, count(*) filter (where g.status = 'sent') as sent,
               count(*) filter (where g.status = 'failed') as failed, max(g.created_at) as youngest from gone g
    ), noted as (
        update delivery.campaign_counters k
           set first_position = v_next, retained_sent = k.retained_sent - c.sent,
               retained_failed = k.retained_failed - c.failed, left_until = greatest(k.left_until, c.youngest)
          from counted c where k.campaign_id = p_campaign and c.rows > 0
    ), codes_noted as (
        update delivery.code_counters k set retained = k.retained - g.rows
          from (select g.error_code, count(*) as rows from gone g where g.error_code is not null group by g.error_code) g
         where k.campaign_id = p_campaign and k.code = g.error_code
    )
    select c.rows, c.jobs into rows_left, v_jobs from counted c;
    perform telegram.forget_sends(p_campaign, v_jobs);
    -- A send goes with the last of its messages.
    delete from delivery.sends s where s.place = p_campaign and s.last_position < v_next;
    -- Nothing shows a rate of hours ago; who is still being written to forgets them by himself.
    delete from delivery.minute_counters c
     where c.campaign_id = p_campaign and c.minute < clock_timestamp() - interval '3 hours';
    held_ms := extract(epoch from clock_timestamp() - v_held) * 1000;
    return next;
end
$$;

revoke execute on function telegram.forget_sends, delivery.claim_retention, delivery.old_logs, delivery.trim_log from public;
grant usage on schema telegram to relaygram_log_writer;
grant execute on function telegram.forget_sends, delivery.claim_retention, delivery.old_logs, delivery.trim_log to relaygram_log_writer;
grant usage on schema dispatch to relaygram_log_writer;
grant select on dispatch.due, dispatch.runs to relaygram_log_writer;
grant select on control.steps to relaygram_log_writer;
