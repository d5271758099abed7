-- Writes a batch of events, at most one per (campaign, job): rows, feeds and counters in one round trip.
-- Of two events the higher rank wins, of equal ranks the higher attempt (then the alphabet, so that the order is total and
-- nothing rests on who came first); the loser only fills what is still empty;
-- what changes nothing takes no revision. Rows of an erased person take no address and no text, also those that come late.
-- Returns the campaigns that changed, with their newest revision.
create function delivery.write_messages(
    p_campaign_id bigint[], p_job_id uuid[], p_workspace_id bigint[], p_channel text[], p_state text[], p_rank smallint[],
    p_attempt int[], p_account_id bigint[], p_sender_id bigint[], p_run_id bigint[], p_sender text[], p_destination text[],
    p_step int[], p_trigger text[], p_body text[], p_content_type text[], p_queued_at timestamptz[], p_sent_at timestamptz[],
    p_read_at timestamptz[], p_replied_at timestamptz[], p_ended_at timestamptz[], p_telegram_message_id bigint[],
    p_triggered_by_message_id bigint[], p_error_code text[], p_error_message text[], p_error_permanent boolean[],
    p_reference text[], p_entity_id text[], p_application_id text[], p_price jsonb[], p_recipient_id bigint[] default null, p_follow_up int[] default null)
returns table (campaign_id bigint, revision bigint)
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    v_last delivery.sequence;
    v_now timestamptz;
    v_erased bigint[];
    v_trimmed bigint[];
begin
    -- First the lock, then statements whose snapshot is younger than it: a poller can not see a later row before an
    -- earlier one. One lock for all campaigns keeps `id` and `created_at` in commit order over all of them.
    perform pg_advisory_xact_lock(7205759403);
    select * into v_last from delivery.sequence;
    v_now := greatest(clock_timestamp(), v_last.last_created_at);
    -- Below, only one of the indexes of the log finds a message, and which one is not to be seen while there are few rows: a
    -- plan made then and kept took seconds for a batch, a minute later. So as long as they are few it is planned each time.
    perform set_config('plan_cache_mode',
        case when pg_relation_size('delivery.messages') < 64 * 1024 * 1024 then 'force_custom_plan' else 'auto' end, true);
    -- Asked once a batch: these people are few. Those of test sends (campaign 0) have ids of their own, here negative; those
    -- of other channels (campaigns below 0) are not ours.
    v_erased := array(select case f.campaign_id when 0 then -f.contact_id else f.contact_id end
                        from control.former_contacts f
                       where f.erased_at is not null and f.contact_id = any (p_sender_id));
    -- Campaigns that rows have left for their age. What was made before them and has no row had one: it does not come back,
    -- however late its events are told again. (Ten minutes: the clocks of who made it and of PostgreSQL may differ.)
    v_trimmed := array(select k.campaign_id from delivery.campaign_counters k
                        where k.left_until is not null and k.campaign_id = any (p_campaign_id));

    return query
    with input as materialized (
        select * from unnest(p_campaign_id, p_job_id, p_workspace_id, p_channel, p_state, p_rank, p_attempt, p_account_id,
            p_sender_id, p_run_id, p_sender, p_destination, p_step, p_trigger, p_body, p_content_type, p_queued_at, p_sent_at,
            p_read_at, p_replied_at, p_ended_at, p_telegram_message_id, p_triggered_by_message_id, p_error_code,
            p_error_message, p_error_permanent, p_reference, p_entity_id, p_application_id, p_price, p_recipient_id, p_follow_up)
        with ordinality as i (campaign_id, job_id, workspace_id, channel, state, rank, attempt, account_id, sender_id, run_id,
            sender, destination, step, trigger, body, content_type, queued_at, sent_at, read_at, replied_at, ended_at,
            telegram_message_id, triggered_by_message_id, error_code, error_message, error_permanent, reference, entity_id,
            application_id, price, recipient_id, follow_up, ordinal)
    ),
    -- One probe per event; `old` is the row as it stands, null where there is none. Nothing below joins by position in
    -- the batch: the planner knows nothing of its size and would compare each event with each.
    probed as materialized (
        select i.*, m.campaign_id is not null as is_known, m as old
          from input i left join delivery.messages m on m.campaign_id = i.campaign_id and m.job_id = i.job_id
    ),
    fresh as materialized (
        select i.*, row_number() over (order by i.ordinal) as nth,
               row_number() over (partition by i.campaign_id order by i.ordinal) as nth_in_campaign,
               case when case when i.campaign_id > 0 then i.sender_id when i.campaign_id = 0 then -i.sender_id end = any (v_erased)
                    then v_now end as erased_at
          from probed i where not i.is_known
           and not (i.campaign_id = any (v_trimmed)
                    and i.queued_at <= (select k.left_until + interval '10 minutes' from delivery.campaign_counters k
                                         where k.campaign_id = i.campaign_id))
    ),
    merged as (
        select i.campaign_id, i.job_id, i.ordinal, i.old,
               case when w.wins then i.state else k.state end as state,
               case when w.wins then i.rank else k.rank end as rank,
               case when w.wins then i.attempt else k.attempt end as attempt,
               case when w.wins then coalesce(i.account_id, k.account_id) else coalesce(k.account_id, i.account_id) end as account_id,
               case when w.wins then coalesce(i.sender_id, k.sender_id) else coalesce(k.sender_id, i.sender_id) end as sender_id,
               case when w.wins then coalesce(i.run_id, k.run_id) else coalesce(k.run_id, i.run_id) end as run_id,
               case when k.erased_at is not null then k.sender when w.wins then coalesce(i.sender, k.sender) else coalesce(k.sender, i.sender) end as sender,
               case when k.erased_at is not null then k.destination when w.wins then coalesce(i.destination, k.destination) else coalesce(k.destination, i.destination) end as destination,
               case when w.wins then coalesce(i.step, k.step) else coalesce(k.step, i.step) end as step,
               case when w.wins then coalesce(i.follow_up, k.follow_up) else coalesce(k.follow_up, i.follow_up) end as follow_up,
               case when w.wins then coalesce(i.trigger, k.trigger) else coalesce(k.trigger, i.trigger) end as trigger,
               case when k.erased_at is not null then k.body when w.wins then coalesce(i.body, k.body) else coalesce(k.body, i.body) end as body,
               case when w.wins then coalesce(i.content_type, k.content_type) else coalesce(k.content_type, i.content_type) end as content_type,
               least(k.queued_at, i.queued_at) as queued_at,
               least(k.sent_at, i.sent_at) as sent_at,
               least(k.read_at, i.read_at) as read_at,
               least(k.replied_at, i.replied_at) as replied_at,
               case when w.wins then i.ended_at else k.ended_at end as ended_at,
               case when w.wins then coalesce(i.telegram_message_id, k.telegram_message_id) else coalesce(k.telegram_message_id, i.telegram_message_id) end as telegram_message_id,
               case when w.wins then coalesce(i.triggered_by_message_id, k.triggered_by_message_id) else coalesce(k.triggered_by_message_id, i.triggered_by_message_id) end as triggered_by_message_id,
               -- An error belongs to its state: what wins brings its own, or none; what loses brings none.
               case when w.wins then i.error_code else k.error_code end as error_code,
               case when w.wins then i.error_message else k.error_message end as error_message,
               case when w.wins then i.error_permanent else k.error_permanent end as error_permanent,
               case when w.wins then coalesce(i.reference, k.reference) else coalesce(k.reference, i.reference) end as reference,
               case when w.wins then coalesce(i.entity_id, k.entity_id) else coalesce(k.entity_id, i.entity_id) end as entity_id,
               case when w.wins then coalesce(i.application_id, k.application_id) else coalesce(k.application_id, i.application_id) end as application_id,
               case when w.wins then coalesce(i.price, k.price) else coalesce(k.price, i.price) end as price,
               case when k.erased_at is not null then k.recipient_id when w.wins then coalesce(i.recipient_id, k.recipient_id) else coalesce(k.recipient_id, i.recipient_id) end as recipient_id
          from probed i cross join lateral (select (i.old).*) k
          cross join lateral (
              select case when (i.rank, i.attempt) <> (k.rank, k.attempt) then (i.rank, i.attempt) > (k.rank, k.attempt)
                          else (i.state collate "C", coalesce(i.error_code, '') collate "C")
                             < (k.state collate "C", coalesce(k.error_code, '') collate "C") end as wins) w
         where i.is_known
    ),
    changed as materialized (
        select g.*, row_number() over (order by g.ordinal) + (select count(*) from fresh) as nth
          from merged g cross join lateral (select (g.old).*) k
         where (g.state, g.rank, g.attempt, g.account_id, g.sender_id, g.run_id, g.sender, g.destination, g.step, g.trigger, g.body,
                g.content_type, g.queued_at, g.sent_at, g.read_at, g.replied_at, g.ended_at, g.telegram_message_id,
                g.triggered_by_message_id, g.error_code, g.error_message, g.error_permanent, g.reference, g.entity_id,
                g.application_id, g.price, g.recipient_id, g.follow_up)
            is distinct from
               (k.state, k.rank, k.attempt, k.account_id, k.sender_id, k.run_id, k.sender, k.destination, k.step, k.trigger, k.body,
                k.content_type, k.queued_at, k.sent_at, k.read_at, k.replied_at, k.ended_at, k.telegram_message_id,
                k.triggered_by_message_id, k.error_code, k.error_message, k.error_permanent, k.reference, k.entity_id,
                k.application_id, k.price, k.recipient_id, k.follow_up)
    ),
    updated as (
        update delivery.messages m
           set revision = v_last.last_revision + g.nth, state = g.state, rank = g.rank, attempt = g.attempt,
               account_id = g.account_id, sender_id = g.sender_id, run_id = g.run_id, sender = g.sender,
               destination = g.destination, step = g.step, trigger = g.trigger, body = g.body, content_type = g.content_type,
               queued_at = g.queued_at, sent_at = g.sent_at, read_at = g.read_at, replied_at = g.replied_at,
               ended_at = g.ended_at, telegram_message_id = g.telegram_message_id,
               triggered_by_message_id = g.triggered_by_message_id, error_code = g.error_code,
               error_message = g.error_message, error_permanent = g.error_permanent, reference = g.reference,
               entity_id = g.entity_id, application_id = g.application_id, price = g.price,
               recipient_id = g.recipient_id, follow_up = g.follow_up
          from changed g where m.campaign_id = g.campaign_id and m.job_id = g.job_id
        returning m.campaign_id, m.workspace_id, m.revision, old.rank as old_rank, new.rank as new_rank,
                  old.error_code as old_code, new.error_code as new_code, new.sent_at, m.job_id, m.position,
                  old.run_id as old_run_id, old.step as old_step, old.trigger as old_trigger, old.follow_up as old_follow_up,
                  old.queued_at as old_queued_at, new.run_id, new.step, new.trigger, new.follow_up, new.queued_at
    ),
    inserted as (
        insert into delivery.messages as m (campaign_id, job_id, id, position, revision, created_at, workspace_id, channel, state, rank,
            attempt, account_id, sender_id, run_id, sender, destination, step, trigger, body, content_type, queued_at, sent_at,
            read_at, replied_at, ended_at, telegram_message_id, triggered_by_message_id, error_code, error_message,
            error_permanent, reference, entity_id, application_id, price, recipient_id, follow_up, erased_at)
        select f.campaign_id, f.job_id, v_last.last_id + f.nth, coalesce(c.last_position, 0) + f.nth_in_campaign,
               v_last.last_revision + f.nth, v_now + f.nth * interval '1 microsecond', f.workspace_id, f.channel, f.state, f.rank,
               f.attempt, f.account_id, f.sender_id, f.run_id, f.sender,
               case when f.erased_at is null then f.destination end, f.step, f.trigger,
               case when f.erased_at is null then f.body end, f.content_type,
               f.queued_at, f.sent_at, f.read_at, f.replied_at, f.ended_at, f.telegram_message_id, f.triggered_by_message_id,
               f.error_code, f.error_message, f.error_permanent, f.reference, f.entity_id, f.application_id, f.price,
               case when f.erased_at is null then f.recipient_id end, f.follow_up, f.erased_at
          from fresh f left join delivery.campaign_counters c on c.campaign_id = f.campaign_id
        returning m.campaign_id, m.workspace_id, m.revision, null::smallint as old_rank, m.rank as new_rank,
                  null::text as old_code, m.error_code as new_code, m.sent_at, m.job_id, m.position,
                  null::bigint as old_run_id, null::int as old_step, null::text as old_trigger, null::int as old_follow_up,
                  null::timestamptz as old_queued_at, m.run_id, m.step, m.trigger, m.follow_up, m.queued_at
    ),
    touched as materialized (
        select * from inserted union all select * from updated
    ),
    -- By what makes a send, a test's each by itself; over all of a campaign's, what its counters get.
    sorted as materialized (
        select t.campaign_id, t.run_id, t.step, t.trigger, t.follow_up, case when t.campaign_id = 0 then t.job_id end as test_id,
               max(t.workspace_id) as workspace_id, max(t.revision) as last_revision,
               count(*) filter (where t.old_rank is null) as rows,
               count(*) filter (where t.new_rank < 2) - count(*) filter (where t.old_rank < 2) as pending,
               count(*) filter (where t.new_rank in (2, 3)) - count(*) filter (where t.old_rank in (2, 3)) as failed,
               count(*) filter (where t.new_rank >= 4) - count(*) filter (where t.old_rank >= 4) as sent,
               count(*) filter (where t.new_rank >= 6) - count(*) filter (where t.old_rank >= 6) as read,
               count(*) filter (where t.new_rank = 7) - count(*) filter (where t.old_rank = 7) as replied,
               min(t.position) as first_position, max(t.position) as last_position, min(t.queued_at) as queued_at
          from touched t group by 1, 2, 3, 4, 5, 6
    ),
    tally as materialized (
        select s.campaign_id, max(s.workspace_id) as workspace_id, max(s.last_revision) as last_revision, sum(s.rows) as rows,
               sum(s.pending) as pending, sum(s.failed) as failed, sum(s.sent) as sent, sum(s.read) as read,
               sum(s.replied) as replied
          from sorted s group by s.campaign_id
    ),
    counted as (
        insert into delivery.campaign_counters as c (campaign_id, workspace_id, last_position, pending, sent, failed, read, replied,
            retained_pending, retained_sent, retained_failed, last_revision)
        select t.campaign_id, t.workspace_id, t.rows, t.pending, t.sent, t.failed, t.read, t.replied,
               t.pending, t.sent, t.failed, t.last_revision from tally t order by t.campaign_id
        on conflict (campaign_id) do update set
            last_position = c.last_position + excluded.last_position, pending = c.pending + excluded.pending,
            sent = c.sent + excluded.sent, failed = c.failed + excluded.failed, read = c.read + excluded.read,
            replied = c.replied + excluded.replied, retained_pending = c.retained_pending + excluded.retained_pending,
            retained_sent = c.retained_sent + excluded.retained_sent,
            retained_failed = c.retained_failed + excluded.retained_failed, last_revision = excluded.last_revision
    ),
    codes_counted as (
        insert into delivery.code_counters as c (campaign_id, code, workspace_id, messages)
        select d.campaign_id, d.code, max(d.workspace_id), sum(d.change)
          from (select t.campaign_id, t.workspace_id, t.new_code as code, 1 as change from touched t
                 where t.new_rank in (2, 3) and t.new_code is not null
                union all
                select t.campaign_id, t.workspace_id, t.old_code, -1 from touched t
                 where t.old_rank in (2, 3) and t.old_code is not null) d
         where d.campaign_id > 0 group by d.campaign_id, d.code having sum(d.change) <> 0
        on conflict (campaign_id, code) do update set messages = c.messages + excluded.messages
    ),
    minutes_counted as (
        -- What is told later than this shows no rate any more.
        insert into delivery.minute_counters as c (campaign_id, minute, workspace_id, sent)
        select t.campaign_id, date_trunc('minute', t.sent_at), max(t.workspace_id), count(*) from touched t
         where t.campaign_id > 0 and t.new_rank >= 4 and (t.old_rank is null or t.old_rank < 4)
           and t.sent_at >= v_now - interval '2 hours'
         group by 1, 2
        on conflict (campaign_id, minute) do update set sent = c.sent + excluded.sent
    ),
    minutes_forgotten as (
        delete from delivery.minute_counters c using tally t
         where c.campaign_id = t.campaign_id and c.minute < date_trunc('minute', v_now) - interval '2 hours'
    ),
    -- Messages that another send had, or the same one with a later start.
    moved as materialized (
        select * from touched t
         where t.old_rank is not null and (t.run_id is distinct from t.old_run_id or t.step is distinct from t.old_step
               or t.trigger is distinct from t.old_trigger or t.follow_up is distinct from t.old_follow_up
               or t.queued_at <> t.old_queued_at)
    ),
    sends_changed as materialized (
        select d.campaign_id as place, s.run_id, s.step, s.trigger, s.follow_up, s.job_id, max(d.workspace_id) as workspace_id,
               sum(d.rows) as messages, sum(d.sent) as accepted, min(d.first_position) as first_position,
               max(d.last_position) as last_position, min(d.came_at) as came_at, min(d.left_at) as left_at
          from (select s.campaign_id, s.run_id, s.step, s.trigger, s.follow_up, s.test_id, s.workspace_id, s.rows, s.sent,
                       s.first_position, s.last_position, s.queued_at as came_at, null::timestamptz as left_at
                  from sorted s where s.campaign_id >= 0
                union all
                select m.campaign_id, m.run_id, m.step, m.trigger, m.follow_up, m.job_id, m.workspace_id,
                       1, (m.old_rank >= 4)::int, m.position, m.position, m.queued_at, null
                  from moved m where m.campaign_id >= 0
                union all
                select m.campaign_id, m.old_run_id, m.old_step, m.old_trigger, m.old_follow_up, m.job_id, m.workspace_id,
                       -1, -(m.old_rank >= 4)::int, m.position, m.position, null, m.old_queued_at
                  from moved m where m.campaign_id >= 0) d
         cross join lateral delivery.send_of(d.campaign_id, d.test_id, d.run_id, d.step, d.trigger, d.follow_up) s
         group by 1, 2, 3, 4, 5, 6
    ),
    -- With `limit`, so that it can be nothing but a probe.
    sends_known as materialized (
        select d.*, k.id from sends_changed d
          left join lateral (select s.id from delivery.sends s
                              where s.place = d.place and s.run_id = d.run_id and s.step = d.step and s.trigger = d.trigger
                                and s.follow_up = d.follow_up and s.job_id = d.job_id limit 1) k on true
    ),
    sends_counted as (
        update delivery.sends s
           set messages = s.messages + d.messages, accepted = s.accepted + d.accepted,
               started_at = case when s.messages > 0 then least(s.started_at, d.came_at) else coalesce(d.came_at, s.started_at) end,
               unsettled = s.unsettled or coalesce(d.left_at <= s.started_at and s.started_at < coalesce(d.came_at, 'infinity'), false),
               first_position = least(s.first_position, d.first_position),
               last_position = greatest(s.last_position, d.last_position)
          from sends_known d
         where s.id = d.id and (d.messages <> 0 or d.accepted <> 0 or d.left_at is not null or d.came_at < s.started_at)
    ),
    sends_begun as (
        insert into delivery.sends (workspace_id, campaign_id, place, run_id, step, trigger, follow_up, job_id, started_at,
                                    messages, accepted, first_position, last_position, triggered_by, message)
        select d.workspace_id, n.campaign_id, d.place, d.run_id, d.step, d.trigger, d.follow_up, d.job_id, d.came_at,
               d.messages, d.accepted, d.first_position, d.last_position, n.triggered_by, n.message
          from sends_known d
         cross join lateral delivery.send_begins(d.place, d.step, d.trigger, d.follow_up, d.job_id) n
         where d.id is null and d.messages > 0
         order by d.came_at, d.first_position
    ),
    advanced as (
        update delivery.sequence s
           set last_id = s.last_id + (select count(*) from fresh),
               last_revision = s.last_revision + (select count(*) from fresh) + (select count(*) from changed),
               last_created_at = v_now + (select count(*) from fresh) * interval '1 microsecond'
         where exists (select from tally)
    )
    select t.campaign_id, t.last_revision from tally t;

    if exists (select from delivery.sends s where s.unsettled) then
        perform delivery.settle_sends();
    end if;
end
$$;
revoke execute on function delivery.write_messages from public;
grant execute on function delivery.write_messages to relaygram_log_writer;
