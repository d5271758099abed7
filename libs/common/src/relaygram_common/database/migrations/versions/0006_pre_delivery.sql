-- The log. Written by the log-writer alone, under one lock, so that its feeds lose nothing.
create table delivery.messages (
    campaign_id bigint not null,        -- 0: test sends; below 0: other channels, by workspace, whose job ids are their own choice
    job_id uuid not null,
    id bigint not null,                 -- global, grows in the order of commits: `since_id` can not skip
    position bigint not null,           -- dense in the campaign: page N is one index probe
    revision bigint not null,           -- grows with every change: `changed_since` is an exact feed
    created_at timestamptz not null,    -- strictly growing microseconds: `since` can not skip
    workspace_id bigint not null,
    channel text not null,
    state text not null,
    rank smallint not null,
    attempt int not null,
    account_id bigint,
    recipient_id bigint,                -- the person's Telegram id, once it is known: the chat, for receipts
    sender_id bigint,
    run_id bigint,
    sender text,
    destination text,
    step int,
    follow_up int,                      -- which of the step's follow-ups
    trigger text,
    body text,
    content_type text,
    queued_at timestamptz not null,     -- whole milliseconds, as the channel logs order by them
    sent_at timestamptz,
    read_at timestamptz,
    replied_at timestamptz,
    last_reply_at timestamptz,          -- of several replies to it; no part of the feeds
    ended_at timestamptz,
    telegram_message_id bigint,
    triggered_by_message_id bigint,
    error_code text,
    error_message text,
    error_permanent boolean,
    reference text,
    entity_id text,
    application_id text,
    price jsonb,
    erased_at timestamptz,
    status text not null generated always as
        (case when rank < 2 then 'pending' when rank < 4 then 'failed' else 'sent' end) stored,
    primary key (campaign_id, job_id)
);
create unique index messages_by_position on delivery.messages (campaign_id, position);
create index messages_by_status on delivery.messages (campaign_id, status, position);
create index messages_by_sender on delivery.messages (campaign_id, sender_id, position);
-- Few rows have a code, so that this costs little; without it a rare code is looked for in the whole log.
create index messages_by_code on delivery.messages (campaign_id, error_code, position) where error_code is not null;
-- What receipts apply to: accepted messages of one chat.
create index messages_in_chat on delivery.messages (account_id, recipient_id, telegram_message_id)
    where recipient_id is not null and rank >= 4 and channel = 'telegram';
create unique index messages_by_revision on delivery.messages (campaign_id, revision);
create unique index messages_of_workspace on delivery.messages (workspace_id, id);

-- A row as the logs endpoints show it.
create view delivery.log_rows with (security_invoker = true) as
select workspace_id, campaign_id, id, position, revision, sender_id, body, status, telegram_message_id,
       triggered_by_message_id, step, error_code, error_message, sent_at, created_at, attempt, read_at, replied_at, job_id
  from delivery.messages;

-- Totals without counting. Lifetime: total, pending, sent, failed, read, replied. A row of campaign 0 counts nothing.
create table delivery.campaign_counters (
    campaign_id bigint primary key,
    workspace_id bigint not null,
    last_position bigint not null default 0,
    first_position bigint not null default 1,   -- retention removes prefixes
    pending bigint not null default 0,
    sent bigint not null default 0,
    failed bigint not null default 0,
    read bigint not null default 0,
    replied bigint not null default 0,
    retained_pending bigint not null default 0,
    retained_sent bigint not null default 0,
    retained_failed bigint not null default 0,
    last_revision bigint not null default 0
);

-- Rows that failed, by code; those of a campaign without a row here have none. `retained`: rows of any state in the log now.
create table delivery.code_counters (
    campaign_id bigint not null,
    code text not null,
    workspace_id bigint not null,
    messages bigint not null,
    retained bigint not null default 0,
    primary key (campaign_id, code)
);

-- Messages that Telegram accepted, by the minute of `sent_at`; kept for two hours.
create table delivery.minute_counters (
    campaign_id bigint not null,
    minute timestamptz not null,
    workspace_id bigint not null,
    sent bigint not null,
    primary key (campaign_id, minute)
);

-- Without statistics of campaigns: a campaign that began after the last ANALYZE is in none, so that the planner would take
-- it for empty and any index for as good as the right one, and read all of a log that grows by thousands a second.
alter table delivery.messages alter column campaign_id set statistics 0;

-- The position of a campaign's first row after a moment and an id, either null for any. Positions are dense and both grow
-- with them, so some twenty probes find it.
create function delivery.position_after(p_campaign bigint, p_since timestamptz, p_since_id bigint) returns bigint
language sql stable parallel safe as $$
    with recursive search (low, high) as (
        select k.first_position, case when p_since is null and p_since_id is null then k.first_position else k.last_position + 1 end
          from delivery.campaign_counters k where k.campaign_id = p_campaign
        union all
        select case when a.is_after then s.low else (s.low + s.high) / 2 + 1 end,
               case when a.is_after then (s.low + s.high) / 2 else s.high end
          from search s
         -- With `limit`, so that it can be nothing but a probe: a plain join was planned as a hash of a million rows.
         cross join lateral (select (p_since is null or m.created_at > p_since)
                                and (p_since_id is null or m.id > p_since_id) as is_after
                               from delivery.messages m
                              where m.campaign_id = p_campaign and m.position = (s.low + s.high) / 2 limit 1) a
         where s.low < s.high
    )
    select max(low) from search
$$;

-- The id after which all rows of a workspace are younger than a moment: ids have gaps here, but grow with time as well.
create function delivery.id_before(p_workspace bigint, p_since timestamptz) returns bigint
language sql stable parallel safe as $$
    with recursive search (low, high) as (
        select 1::bigint, coalesce(max(m.id), 0) + 1 from delivery.messages m where m.workspace_id = p_workspace
        union all
        select case when f.created_at > p_since then s.low else f.id + 1 end,
               case when f.created_at > p_since then (s.low + s.high) / 2 else s.high end
          from search s
         cross join lateral (select m.id, m.created_at from delivery.messages m
                              where m.workspace_id = p_workspace and m.id >= (s.low + s.high) / 2 order by m.id limit 1) f
         where s.low < s.high
    )
    select max(low) - 1 from search
$$;

-- The one row under the lock.
create table delivery.sequence (
    single boolean primary key default true check (single),
    last_id bigint not null default 0,
    last_revision bigint not null default 0,
    last_created_at timestamptz not null default '-infinity'
);
insert into delivery.sequence default values;

call control.protect('delivery.messages');
call control.protect('delivery.campaign_counters');
call control.protect('delivery.code_counters');
call control.protect('delivery.minute_counters');
grant select, insert, update, delete on delivery.messages, delivery.campaign_counters, delivery.code_counters,
    delivery.minute_counters to relaygram_log_writer;
grant select on delivery.code_counters, delivery.minute_counters to relaygram_api;
grant select, update on delivery.sequence to relaygram_log_writer;
grant select on delivery.messages, delivery.campaign_counters to relaygram_api, relaygram_dispatcher;
grant select on delivery.log_rows to relaygram_api;
revoke execute on function delivery.position_after, delivery.id_before from public;
grant execute on function delivery.position_after, delivery.id_before to relaygram_api;
grant select on delivery.campaign_counters to relaygram_gateway;
