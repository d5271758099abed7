-- The log. Written by the log-writer alone, under one lock, so that its feeds lose nothing.
create table delivery.messages (
    campaign_id bigint not null,        -- 0: other channels, test sends
    job_id uuid not null,
    id bigint not null unique,          -- global, grows in the order of commits: `since_id` can not skip
    position bigint not null,           -- dense in the campaign: page N is one index probe
    revision bigint not null,           -- grows with every change: `changed_since` is an exact feed
    created_at timestamptz not null,    -- strictly growing microseconds: `since` can not skip
    workspace_id bigint not null,
    channel text not null,
    state text not null,
    rank smallint not null,
    attempt int not null,
    account_id bigint,
    sender_id bigint,
    run_id bigint,
    sender text,
    destination text,
    step int,
    trigger text,
    body text,
    content_type text,
    queued_at timestamptz,
    sent_at timestamptz,
    read_at timestamptz,
    replied_at timestamptz,
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
create unique index messages_by_revision on delivery.messages (campaign_id, revision);

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
grant select, insert, update, delete on delivery.messages, delivery.campaign_counters to relaygram_log_writer;
grant select, update on delivery.sequence to relaygram_log_writer;
grant select on delivery.messages, delivery.campaign_counters to relaygram_api, relaygram_dispatcher;
grant select on delivery.campaign_counters to relaygram_gateway;
