-- What follows a campaign's first message: its steps, what is due, what people write, and media.

-- The messages of a sequence in order; a campaign without any sends its `body` instead.
create table control.steps (
    step_id bigint generated always as identity primary key,
    workspace_id bigint not null,
    campaign_id bigint not null references control.campaigns,
    -- The number in its jobs' ids, which a step keeps wherever it is moved. 0 is the body's: the step that takes the
    -- body's place has it too, so that who got the one does not get the other.
    identity bigint not null,
    position int not null check (position >= 0),
    body text not null,
    delay_seconds bigint not null default 0 check (delay_seconds >= 0),
    attachments bigint[] not null default '{}',
    followups jsonb not null default '[]',  -- [{"after_hours": 24, "body": "..."}], in order
    unique (campaign_id, position) deferrable initially deferred,
    unique (campaign_id, identity)
);
call control.protect('control.steps');
call control.audit_changes('control.steps', 'step', p_id => 'step_id');
grant select, insert, update, delete on control.steps to relaygram_api;
grant usage on sequence control.steps_step_id_seq to relaygram_api;  -- a new step's identity is its number
grant select on control.steps to relaygram_dispatcher, relaygram_gateway;

alter table control.campaigns
    add column attachments bigint[] not null default '{}',
    add column misfire text,  -- why its `scheduled_at` passed without a start
    -- Columns of its contacts beside their names, as imports brought them (of a thousand and more not all), and those
    -- that its texts ask for: compared when it starts.
    add column contact_columns text[] not null default '{}',
    add column asks_for text[] not null default '{}';

-- What a message may carry. The bytes rest in chunks of at most 1 MiB.
create table control.media (
    id bigint generated always as identity primary key,
    workspace_id bigint not null references control.workspaces,
    kind text not null check (kind in ('photo', 'document')),
    mime_type text not null,
    file_name text,
    size_bytes bigint not null,
    sha256 bytea not null,
    created_at timestamptz not null default now()
);
create table control.media_chunks (
    media_id bigint not null references control.media on delete cascade,
    chunk int not null,
    workspace_id bigint not null,
    data bytea not null,
    primary key (media_id, chunk)
);
create index media_of_workspace on control.media (workspace_id, id);
call control.protect('control.media');
call control.protect('control.media_chunks');
call control.audit_changes('control.media', 'media', 'insert or delete', p_noise => '{sha256}');
alter table control.media_chunks alter column data set storage external;
grant select, insert, delete on control.media, control.media_chunks to relaygram_api;
grant select on control.media, control.media_chunks to relaygram_gateway;
grant select on control.media to relaygram_dispatcher;

-- Where a file lies at Telegram, as one account may refer to it: uploaded once.
create table telegram.media (
    account_id bigint not null,
    media_id bigint not null,
    workspace_id bigint not null,
    telegram_id bigint not null,
    access_hash bigint not null,
    file_reference bytea not null,
    former_ids bigint[] not null default '{}',  -- of earlier uploads: a message that was sent of these is found by them
    updated_at timestamptz not null default now(),
    primary key (account_id, media_id)
);
call control.protect('telegram.media');

-- What becomes a job, and when: steps, follow-ups, auto-replies, and what met quiet hours. A row stays until the log has
-- the outcome of its job, so that a job which is lost can be made again from it.
create table dispatch.due (
    job_id uuid primary key,
    workspace_id bigint not null,
    campaign_id bigint not null,
    account_id bigint not null,
    contact_id bigint not null,
    trigger text not null check (trigger in ('broadcast', 'schedule', 'sequence', 'follow_up', 'auto_reply')),
    step_identity bigint not null default 0,
    step int not null default 0,            -- the step's position when the row was made
    follow_up int,                          -- which of the step's follow-ups
    triggered_by_message_id bigint,
    due_at timestamptz not null,
    expires_at timestamptz,                 -- then it is told as `expired` instead
    published_at timestamptz,               -- its job is made; null again when it met quiet hours on its way
    counted boolean not null default false  -- in the run's jobs_made
);
create index due_next on dispatch.due (campaign_id, due_at, job_id) where published_at is null;
create index due_of_contact on dispatch.due (campaign_id, contact_id);
call control.protect('dispatch.due');

-- People on their way through a sequence. Who has replied gets no further step.
create table dispatch.enrollments (
    campaign_id bigint not null,
    contact_id bigint not null,
    workspace_id bigint not null,
    replied_at timestamptz,
    primary key (campaign_id, contact_id)
);
call control.protect('dispatch.enrollments');

-- Up to which change the campaign's log has been read for what follows from it.
alter table dispatch.runs add column followed_revision bigint not null default 0;

-- What people wrote to an account, each decided once.
create table dispatch.inbound (
    account_id bigint not null,
    message_id bigint not null,
    workspace_id bigint not null,
    from_id bigint not null,
    decision text not null,                 -- opted_out | auto_reply | cooldown | nothing
    campaign_id bigint,                     -- that answers
    contact_id bigint,
    decided_at timestamptz not null default now(),
    primary key (account_id, message_id)
);
create index inbound_answers on dispatch.inbound (campaign_id, contact_id, decided_at) where campaign_id is not null;
create index inbound_old on dispatch.inbound (decided_at);
call control.protect('dispatch.inbound');
grant select, insert, update, delete on dispatch.due, dispatch.enrollments, dispatch.inbound to relaygram_dispatcher;
grant usage on schema dispatch to relaygram_gateway;
grant select on dispatch.inbound to relaygram_gateway;
grant select on dispatch.due, dispatch.enrollments to relaygram_api;

-- The newest message of each person to an account, noted before it is told to anybody: what goes to this person waits
-- until it is decided, since it may say STOP.
create table telegram.last_inbound (
    account_id bigint not null,
    telegram_user_id bigint not null,
    workspace_id bigint not null,
    message_id bigint not null,
    date timestamptz not null,
    primary key (account_id, telegram_user_id)
);
call control.protect('telegram.last_inbound');

-- Why an account sends nothing now, and until when, as its gateway sees it; no row: nothing keeps it.
create table telegram.waits (
    account_id bigint primary key,
    workspace_id bigint not null,
    waiting_for text not null check (waiting_for in
        ('flood_wait', 'peer_flood', 'restricted', 'hourly_limit', 'daily_limit', 'warm_up', 'connection')),
    until timestamptz
);
call control.protect('telegram.waits');
-- PEER_FLOODs in a row. The row stays past its time until a single message, the probe, was accepted.
alter table telegram.blocks add column strikes int not null default 0;
grant select, insert, update, delete on telegram.media, telegram.last_inbound, telegram.waits to relaygram_gateway;
grant select on telegram.last_inbound, telegram.waits to relaygram_dispatcher, relaygram_api;
create index sends_by_chat on telegram.sends (account_id, telegram_user_id) where telegram_user_id is not null;

-- When the quiet hours that reign at a moment end; null when none do. `p_quiet`: {"start": "21:00", "end": "08:00"}, in the
-- person's time zone, else the campaign's, else UTC; what PostgreSQL does not know as a zone counts as UTC.
create function control.quiet_until(p_quiet jsonb, p_zone text, p_now timestamptz) returns timestamptz
language plpgsql stable parallel safe set search_path = pg_catalog as $$
declare
    v_start time;
    v_end time;
    v_local timestamp;
    v_zone text := coalesce(p_zone, 'UTC');
    v_over timestamp;
begin
    if p_quiet is null then
        return null;
    end if;
    v_start := (p_quiet ->> 'start')::time;
    v_end := (p_quiet ->> 'end')::time;
    begin
        v_local := p_now at time zone v_zone;
    exception when invalid_parameter_value then
        v_zone := 'UTC';
        v_local := p_now at time zone v_zone;
    end;
    if v_start < v_end and v_local::time >= v_start and v_local::time < v_end then
        v_over := v_local::date + v_end;
    elsif v_start > v_end and v_local::time >= v_start then
        v_over := v_local::date + 1 + v_end;
    elsif v_start > v_end and v_local::time < v_end then
        v_over := v_local::date + v_end;
    else
        return null;
    end if;
    -- Where clocks are put forward over this very moment, it comes an hour later; never in the past.
    return greatest(v_over at time zone v_zone, p_now + interval '1 second');
end
$$;
revoke execute on function control.quiet_until from public;
grant execute on function control.quiet_until to relaygram_api, relaygram_dispatcher, relaygram_gateway;

-- Jobs that met quiet hours on their way: they become due rows again, before the gateway acknowledges them. The job's
-- message is counted and in the log already.
create function dispatch.defer(p_jobs uuid[], p_campaigns bigint[], p_accounts bigint[], p_contacts bigint[],
                               p_until timestamptz[]) returns void
language sql security definer set search_path = pg_catalog as $$
    insert into dispatch.due as d (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, due_at, counted)
    select j.job_id, c.workspace_id, j.campaign_id, j.account_id, j.contact_id, 'broadcast', j.due_at, true
      from unnest(p_jobs, p_campaigns, p_accounts, p_contacts, p_until) as j (job_id, campaign_id, account_id, contact_id, due_at)
      join control.campaigns c on c.id = j.campaign_id
     order by j.job_id
    on conflict (job_id) do update set due_at = excluded.due_at, published_at = null
$$;
revoke execute on function dispatch.defer from public;
grant execute on function dispatch.defer to relaygram_gateway;

-- Erases by Telegram ids that people wrote, and that they were answered; which messages were decided stays known.
create index inbound_by_person on dispatch.inbound (account_id, from_id);
create function dispatch.erase_inbound(p_users bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    delete from telegram.last_inbound i using control.telegram_accounts a
     where a.workspace_id = control.workspace() and i.account_id = a.id and i.telegram_user_id = any (p_users);
    update dispatch.inbound i set from_id = 0 from control.telegram_accounts a
     where a.workspace_id = control.workspace() and i.account_id = a.id and i.from_id = any (p_users);
    delete from dispatch.answers w using control.campaigns c
     where c.workspace_id = control.workspace() and w.campaign_id = c.id and w.telegram_user_id = any (p_users);
end
$$;
revoke execute on function dispatch.erase_inbound from public;
grant execute on function dispatch.erase_inbound to relaygram_api;
