-- Where in the log these messages are, in the order of the batch; null for those that are not there. Only one of the log's
-- indexes finds a message, and which one is not to be seen while there are few rows: a plan made then and kept took seconds
-- for a batch, a minute later. So it is planned each time, and it is all that is.
create function delivery.find_messages(p_campaign_id bigint[], p_job_id uuid[]) returns tid[]
language plpgsql stable set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
    return array(
        select m.ctid
          from unnest(p_campaign_id, p_job_id) with ordinality as i (campaign_id, job_id, n)
          left join delivery.messages m on m.campaign_id = i.campaign_id and m.job_id = i.job_id
         order by i.n);
end
$$;

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
language plpgsql set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    v_last delivery.sequence;
    v_now timestamptz;
    v_erased bigint[];
    v_trimmed bigint[];
    v_places tid[];
    v_fresh int[];
    v_known int[];
begin
    -- First the lock, then statements whose snapshot is younger than it: a poller can not see a later row before an
    -- earlier one. One lock for all campaigns keeps `id` and `created_at` in commit order over all of them.
    perform pg_advisory_xact_lock(7205759403);
    select * into v_last from delivery.sequence;
    v_now := greatest(clock_timestamp(), v_last.last_created_at);
    -- Asked once a batch: these people are few. Those of test sends (campaign 0) have ids of their own, here negative; those
    -- of other channels (campaigns below 0) are not ours.
    v_erased := array(select case f.campaign_id when 0 then -f.contact_id else f.contact_id end
                        from control.former_contacts f
                       where f.erased_at is not null and f.contact_id = any (p_sender_id));
    -- Campaigns that rows have left for their age. What was made before them and has no row had one: it does not come back,
    -- however late its events are told again. (Ten minutes: the clocks of who made it and of PostgreSQL may differ.)
    v_trimmed := array(select k.campaign_id from delivery.campaign_counters k
                        where k.left_until is not null and k.campaign_id = any (p_campaign_id));
    -- From here on an event is its number in the batch. Its columns are looked up by it: an array as it was given takes that
    -- in no time, while a row of thirty columns, made of them and handed from step to step, took as long as writing it. Nor
    -- is a message looked for twice: under the lock its row stays where it was found.
    v_places := delivery.find_messages(p_campaign_id, p_job_id);
    v_fresh := array(select n from generate_subscripts(v_places, 1) n where v_places[n] is null);
    v_known := array(select n from generate_subscripts(v_places, 1) n where v_places[n] is not null);

    return query
    with fresh as materialized (
        select f.n, f.nth, coalesce(c.last_position, 0) + row_number() over (partition by p_campaign_id[f.n] order by f.n) as position,
               case when case when p_campaign_id[f.n] > 0 then p_sender_id[f.n] when p_campaign_id[f.n] = 0 then -p_sender_id[f.n] end
                         = any (v_erased) then v_now end as erased_at
          from unnest(v_fresh) with ordinality as f (n, nth)
          left join delivery.campaign_counters c on c.campaign_id = p_campaign_id[f.n]
         where not (p_campaign_id[f.n] = any (v_trimmed) and p_queued_at[f.n] <= c.left_until + interval '10 minutes')
    ),
    inserted as (
        insert into delivery.messages as m (campaign_id, job_id, id, position, revision, created_at,
            workspace_id, channel, state, rank, attempt, account_id, sender_id, run_id, sender, destination, step,
            trigger, body, content_type, queued_at, sent_at, read_at, replied_at, ended_at, telegram_message_id,
            triggered_by_message_id, error_code, error_message, error_permanent, reference, entity_id, application_id,
            price, recipient_id, follow_up, erased_at)
        select p_campaign_id[f.n], p_job_id[f.n], v_last.last_id + f.nth, f.position, v_last.last_revision + f.nth,
               v_now + f.nth * interval '1 microsecond',
               p_workspace_id[f.n], p_channel[f.n], p_state[f.n], p_rank[f.n], p_attempt[f.n], p_account_id[f.n],
               p_sender_id[f.n], p_run_id[f.n], p_sender[f.n], case when f.erased_at is null then p_destination[f.n] end,
               p_step[f.n], p_trigger[f.n], case when f.erased_at is null then p_body[f.n] end, p_content_type[f.n],
               p_queued_at[f.n], p_sent_at[f.n], p_read_at[f.n], p_replied_at[f.n], p_ended_at[f.n],
               p_telegram_message_id[f.n], p_triggered_by_message_id[f.n], p_error_code[f.n], p_error_message[f.n],
               p_error_permanent[f.n], p_reference[f.n], p_entity_id[f.n], p_application_id[f.n], p_price[f.n],
               case when f.erased_at is null then p_recipient_id[f.n] end, p_follow_up[f.n], f.erased_at
          from fresh f
    ),
    changed as materialized (
        select m.ctid as place, v_last.last_revision + cardinality(v_fresh) + k.nth as revision, g.*
          from unnest(v_known) with ordinality as k (n, nth)
          join delivery.messages m on m.ctid = v_places[k.n]
         cross join lateral (
              select case when (p_rank[k.n], p_attempt[k.n]) <> (m.rank, m.attempt) then (p_rank[k.n], p_attempt[k.n]) > (m.rank, m.attempt)
                          else (p_state[k.n] collate "C", coalesce(p_error_code[k.n], '') collate "C")
                             < (m.state collate "C", coalesce(m.error_code, '') collate "C") end as wins offset 0) w
         cross join lateral (
              select case when w.wins then p_state[k.n] else m.state end as state,
                     case when w.wins then p_rank[k.n] else m.rank end as rank,
                     case when w.wins then p_attempt[k.n] else m.attempt end as attempt,
                     case when w.wins then coalesce(p_account_id[k.n], m.account_id) else coalesce(m.account_id, p_account_id[k.n]) end as account_id,
                     case when w.wins then coalesce(p_sender_id[k.n], m.sender_id) else coalesce(m.sender_id, p_sender_id[k.n]) end as sender_id,
                     case when w.wins then coalesce(p_run_id[k.n], m.run_id) else coalesce(m.run_id, p_run_id[k.n]) end as run_id,
                     case when m.erased_at is not null then m.sender when w.wins then coalesce(p_sender[k.n], m.sender) else coalesce(m.sender, p_sender[k.n]) end as sender,
                     case when m.erased_at is not null then m.destination when w.wins then coalesce(p_destination[k.n], m.destination) else coalesce(m.destination, p_destination[k.n]) end as destination,
                     case when w.wins then coalesce(p_step[k.n], m.step) else coalesce(m.step, p_step[k.n]) end as step,
                     case when w.wins then coalesce(p_follow_up[k.n], m.follow_up) else coalesce(m.follow_up, p_follow_up[k.n]) end as follow_up,
                     case when w.wins then coalesce(p_trigger[k.n], m.trigger) else coalesce(m.trigger, p_trigger[k.n]) end as trigger,
                     case when m.erased_at is not null then m.body when w.wins then coalesce(p_body[k.n], m.body) else coalesce(m.body, p_body[k.n]) end as body,
                     case when w.wins then coalesce(p_content_type[k.n], m.content_type) else coalesce(m.content_type, p_content_type[k.n]) end as content_type,
                     least(m.queued_at, p_queued_at[k.n]) as queued_at,
                     least(m.sent_at, p_sent_at[k.n]) as sent_at,
                     least(m.read_at, p_read_at[k.n]) as read_at,
                     least(m.replied_at, p_replied_at[k.n]) as replied_at,
                     case when w.wins then p_ended_at[k.n] else m.ended_at end as ended_at,
                     case when w.wins then coalesce(p_telegram_message_id[k.n], m.telegram_message_id) else coalesce(m.telegram_message_id, p_telegram_message_id[k.n]) end as telegram_message_id,
                     case when w.wins then coalesce(p_triggered_by_message_id[k.n], m.triggered_by_message_id) else coalesce(m.triggered_by_message_id, p_triggered_by_message_id[k.n]) end as triggered_by_message_id,
                     -- An error belongs to its state: what wins brings its own, or none; what loses brings none.
                     case when w.wins then p_error_code[k.n] else m.error_code end as error_code,
                     case when w.wins then p_error_message[k.n] else m.error_message end as error_message,
                     case when w.wins then p_error_permanent[k.n] else m.error_permanent end as error_permanent,
                     case when w.wins then coalesce(p_reference[k.n], m.reference) else coalesce(m.reference, p_reference[k.n]) end as reference,
                     case when w.wins then coalesce(p_entity_id[k.n], m.entity_id) else coalesce(m.entity_id, p_entity_id[k.n]) end as entity_id,
                     case when w.wins then coalesce(p_application_id[k.n], m.application_id) else coalesce(m.application_id, p_application_id[k.n]) end as application_id,
                     case when w.wins then coalesce(p_price[k.n], m.price) else coalesce(m.price, p_price[k.n]) end as price,
                     case when m.erased_at is not null then m.recipient_id when w.wins then coalesce(p_recipient_id[k.n], m.recipient_id) else coalesce(m.recipient_id, p_recipient_id[k.n]) end as recipient_id
              offset 0) g
         where (g.state, g.rank, g.attempt, g.account_id, g.sender_id, g.run_id, g.sender, g.destination, g.step,
                g.follow_up, g.trigger, g.body, g.content_type, g.queued_at, g.sent_at, g.read_at, g.replied_at,
                g.ended_at, g.telegram_message_id, g.triggered_by_message_id, g.error_code, g.error_message,
                g.error_permanent, g.reference, g.entity_id, g.application_id, g.price, g.recipient_id)
            is distinct from
               (m.state, m.rank, m.attempt, m.account_id, m.sender_id, m.run_id, m.sender, m.destination, m.step,
                m.follow_up, m.trigger, m.body, m.content_type, m.queued_at, m.sent_at, m.read_at, m.replied_at,
                m.ended_at, m.telegram_message_id, m.triggered_by_message_id, m.error_code, m.error_message,
                m.error_permanent, m.reference, m.entity_id, m.application_id, m.price, m.recipient_id)
    ),
    updated as (
        update delivery.messages m
           set revision = g.revision,
               state = g.state, rank = g.rank, attempt = g.attempt, account_id = g.account_id, sender_id = g.sender_id,
               run_id = g.run_id, sender = g.sender, destination = g.destination, step = g.step, follow_up = g.follow_up,
               trigger = g.trigger, body = g.body, content_type = g.content_type, queued_at = g.queued_at,
               sent_at = g.sent_at, read_at = g.read_at, replied_at = g.replied_at, ended_at = g.ended_at,
               telegram_message_id = g.telegram_message_id, triggered_by_message_id = g.triggered_by_message_id,
               error_code = g.error_code, error_message = g.error_message, error_permanent = g.error_permanent,
               reference = g.reference, entity_id = g.entity_id, application_id = g.application_id, price = g.price,
               recipient_id = g.recipient_id
          from changed g where m.ctid = g.place
        returning m.campaign_id, m.workspace_id, m.revision, old.rank as old_rank, new.rank as new_rank,
                  old.error_code as old_code, new.error_code as new_code, new.sent_at, m.job_id, m.position,
                  old.run_id as old_run_id, old.step as old_step, old.trigger as old_trigger, old.follow_up as old_follow_up,
                  old.queued_at as old_queued_at, new.run_id, new.step, new.trigger, new.follow_up, new.queued_at
    ),
    touched as materialized (
        select p_campaign_id[f.n] as campaign_id, p_workspace_id[f.n] as workspace_id, v_last.last_revision + f.nth as revision,
               null::smallint as old_rank, p_rank[f.n] as new_rank, null::text as old_code, p_error_code[f.n] as new_code,
               p_sent_at[f.n] as sent_at, p_job_id[f.n] as job_id, f.position, null::bigint as old_run_id, null::int as old_step,
               null::text as old_trigger, null::int as old_follow_up, null::timestamptz as old_queued_at, p_run_id[f.n] as run_id,
               p_step[f.n] as step, p_trigger[f.n] as trigger, p_follow_up[f.n] as follow_up, p_queued_at[f.n] as queued_at
          from fresh f
        union all
        select * from updated
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
        insert into delivery.code_counters as c (campaign_id, code, workspace_id, messages, retained)
        select d.campaign_id, d.code, max(d.workspace_id), sum(d.failed), sum(d.rows)
          from (select t.campaign_id, t.workspace_id, t.new_code as code, (t.new_rank in (2, 3))::int as failed, 1 as rows
                  from touched t where t.new_code is not null
                union all
                select t.campaign_id, t.workspace_id, t.old_code, -(t.old_rank in (2, 3))::int, -1
                  from touched t where t.old_code is not null) d
         where d.campaign_id > 0 group by d.campaign_id, d.code having sum(d.failed) <> 0 or sum(d.rows) <> 0
        on conflict (campaign_id, code) do update set
            messages = c.messages + excluded.messages, retained = c.retained + excluded.retained
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
           set last_id = s.last_id + cardinality(v_fresh), last_revision = t.last_revision,
               last_created_at = v_now + cardinality(v_fresh) * interval '1 microsecond'
          from (select max(t.last_revision) as last_revision from tally t) t where t.last_revision is not null
    )
    select t.campaign_id, t.last_revision from tally t;

    if exists (select from delivery.sends s where s.unsettled) then
        perform delivery.settle_sends();
    end if;
end
$$;
revoke execute on function delivery.find_messages, delivery.write_messages from public;
grant execute on function delivery.find_messages, delivery.write_messages to relaygram_log_writer;
