-- Sends: one for each campaign, run, step, trigger and follow-up, and one for each test.
alter table control.campaigns add column started_by_schedule boolean not null default false;

-- Kept by write_messages() and under its lock: sums over the messages that are, or were before retention, in the send.
create table delivery.sends (
    id bigint generated always as identity primary key,
    workspace_id bigint not null,
    campaign_id bigint not null,        -- of a test: the campaign that was tested
    place bigint not null,              -- delivery.messages.campaign_id of its messages; 0: a test
    -- Which messages are in it. What a message does not have is 0 here, and a follow-up -1.
    run_id bigint not null,
    step int not null,
    trigger text not null,
    follow_up int not null,
    job_id uuid not null,               -- of a test, else zeros
    started_at timestamptz not null,    -- the earliest `queued_at` of its messages
    messages bigint not null,           -- lifetime; 0: all its messages turned out to be in another, so there is no such send
    accepted bigint not null,           -- lifetime
    first_position bigint not null,     -- its messages lie between these; below the log's first position there are none left
    last_position bigint not null,
    triggered_by text not null,
    message text not null,              -- the template as it stood when the send began
    unsettled boolean not null default false,  -- `started_at` is to be looked for: its first message went to another send
    unique (place, run_id, step, trigger, follow_up, job_id)
);
create index sends_by_start on delivery.sends (workspace_id, started_at, id) where messages > 0;
create index sends_of_campaign on delivery.sends (workspace_id, campaign_id, started_at, id) where messages > 0;
create index sends_unsettled on delivery.sends (id) where unsettled;
call control.protect('delivery.sends');
grant select, insert, update, delete on delivery.sends to relaygram_log_writer;
grant select on delivery.sends to relaygram_api;
-- What a template is read from, once a send.
grant select on control.steps to relaygram_log_writer;
grant select (workspace_id, job_id, campaign_id, body) on control.single_sends to relaygram_log_writer;

-- The send that a message is in, none for confirmations of opt-outs, other channels, and what does not say its trigger.
create function delivery.send_of(p_place bigint, p_job_id uuid, p_run_id bigint, p_step int, p_trigger text, p_follow_up int)
returns table (run_id bigint, step int, trigger text, follow_up int, job_id uuid)
language sql immutable parallel safe as $$
    select case when p_place > 0 then coalesce(p_run_id, 0) else 0 end,
           case when p_place > 0 then coalesce(p_step, 0) else 0 end,
           -- How the run was started is the campaign's to say.
           case p_trigger when 'schedule' then 'broadcast' else p_trigger end,
           case when p_place > 0 then coalesce(p_follow_up, -1) else -1 end,
           case when p_place > 0 then '00000000-0000-0000-0000-000000000000' else p_job_id end
     where p_place > 0 and p_trigger <> 'opt_out' or p_place = 0 and p_trigger = 'test'
$$;

-- What a new send says for good: whose it is, why it was made, and its template as it stands now. None for the test of
-- somebody who was erased.
create function delivery.send_begins(p_place bigint, p_step int, p_trigger text, p_follow_up int, p_job_id uuid)
returns table (campaign_id bigint, triggered_by text, message text)
language sql stable as $$
    select p_place,
           case when p_trigger = 'broadcast' and c.started_by_schedule then 'schedule' else p_trigger end,
           coalesce(case when p_follow_up >= 0 then t.followups -> p_follow_up ->> 'body'
                         when t.step_id is not null then t.body
                         when not exists (select from control.steps o where o.campaign_id = c.id) then c.body end, '')
      from (select p_place as campaign_id where p_place > 0) p
      left join control.campaigns c on c.id = p.campaign_id
      left join control.steps t on t.campaign_id = p.campaign_id and t.position = p_step
    union all
    select o.campaign_id, p_trigger, coalesce(o.body, c.body)
      from control.single_sends o join control.campaigns c on c.id = o.campaign_id
     where p_place = 0 and o.job_id = p_job_id
$$;

-- Looks for the start of sends whose first message went to another one: a step was moved while messages waited. Along
-- the messages by time from where the start was, mostly a few. The log's lock is held meanwhile, so that after some the
-- next batch goes on from there.
create function delivery.settle_sends(p_most int default 10000) returns void
language plpgsql set enable_sort = off set enable_incremental_sort = off as $$
declare
    s delivery.sends;
    v_left int := p_most;
    v_start timestamptz;
    v_looked int;
    v_last timestamptz;
begin
    for s in select * from delivery.sends o where o.unsettled order by o.id limit 100 loop
        exit when v_left <= 0;
        select l.queued_at into v_start
          from (select m.* from delivery.messages m
                 where m.workspace_id = s.workspace_id and m.channel = 'telegram' and m.queued_at >= s.started_at
                 order by m.queued_at fetch first (v_left) rows with ties) l
         cross join lateral delivery.send_of(l.campaign_id, l.job_id, l.run_id, l.step, l.trigger, l.follow_up) k
         where l.campaign_id = s.place
           and (k.run_id, k.step, k.trigger, k.follow_up, k.job_id) = (s.run_id, s.step, s.trigger, s.follow_up, s.job_id)
         order by l.queued_at limit 1;
        select count(*), max(l.queued_at) into v_looked, v_last
          from (select m.queued_at from delivery.messages m
                 where m.workspace_id = s.workspace_id and m.channel = 'telegram' and m.queued_at >= s.started_at
                   and (v_start is null or m.queued_at < v_start)
                 order by m.queued_at fetch first (v_left) rows with ties) l;
        -- Whole milliseconds: the next one is behind all that were looked at. None at all: they have left the log.
        update delivery.sends o
           set unsettled = v_start is null and v_looked >= v_left,
               started_at = coalesce(v_start, case when v_looked >= v_left then v_last + interval '1 millisecond' end, o.started_at)
         where o.id = s.id;
        v_left := v_left - v_looked - 1;
    end loop;
end
$$;

revoke execute on function delivery.send_of, delivery.send_begins, delivery.settle_sends from public;
grant execute on function delivery.send_of to relaygram_log_writer, relaygram_api;
grant execute on function delivery.send_begins, delivery.settle_sends to relaygram_log_writer;
