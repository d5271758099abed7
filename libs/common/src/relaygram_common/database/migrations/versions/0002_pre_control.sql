-- Identities, accounts, campaigns, contacts: what people own. Written by the api; by others only through functions.
create table control.workspaces (
    id bigint generated always as identity primary key,
    name text not null unique,
    created_at timestamptz not null default now()
);

create table control.users (
    id bigint generated always as identity primary key,
    workspace_id bigint not null references control.workspaces,
    email text not null,
    name text not null,
    password_hash text not null,
    disabled_at timestamptz,
    created_at timestamptz not null default now()
);
create unique index users_email on control.users (lower(email));

create table control.api_tokens (
    id bigint generated always as identity primary key,
    workspace_id bigint not null references control.workspaces,
    user_id bigint not null references control.users,
    name text not null,
    secret_hash bytea not null,
    abilities text[] not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz not null default now()
);
create index api_tokens_of_user on control.api_tokens (workspace_id, user_id);

create table control.telegram_accounts (
    id bigint generated always as identity primary key,
    workspace_id bigint not null references control.workspaces,
    name text,
    kind text not null check (kind in ('user', 'bot')),
    status text not null default 'new' check (status in
        ('new', 'code_required', 'password_required', 'active', 'backing_off', 'disabled', 'logged_out')),
    status_reason text,
    backing_off_until timestamptz,
    telegram_user_id bigint,
    handle text,
    limits jsonb not null,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create index telegram_accounts_of_workspace on control.telegram_accounts (workspace_id, id);

-- What a log-in step needs, sealed (AES-256-GCM, additional data = account id and kind); deleted after use.
create table control.login_secrets (
    account_id bigint not null references control.telegram_accounts,
    kind text not null check (kind in ('phone', 'bot_token', 'session_string', 'code', 'password')),
    workspace_id bigint not null,
    sealed bytea not null,
    created_at timestamptz not null default now(),
    primary key (account_id, kind)
);

-- How an account reaches Telegram, where that is otherwise than the installation does: as which application, through
-- which proxy. Sealed, also the proxy's address, since it holds its password.
create table control.account_connections (
    account_id bigint primary key references control.telegram_accounts,
    workspace_id bigint not null,
    api_id int,
    api_hash_sealed bytea,
    proxy_sealed bytea,
    check ((api_id is null) = (api_hash_sealed is null))
);

create table control.campaigns (
    id bigint generated always as identity primary key,
    workspace_id bigint not null references control.workspaces,
    name text not null,
    mode text not null check (mode in ('broadcast', 'auto_reply')),
    trigger_keyword text,
    body text not null,
    telegram_account_id bigint not null references control.telegram_accounts,
    status text not null default 'draft' check (status in ('draft', 'running', 'paused', 'completed', 'stopped')),
    status_reason text check (status_reason in ('user', 'content_error', 'account_down')),
    version bigint not null default 1,
    scheduled_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    stopped_at timestamptz,
    -- One transaction adds contacts and counts them, so that expansion knows when it has seen them all.
    total_contacts bigint not null default 0,
    contacts_generation bigint not null default 0,
    time_zone text,
    quiet_hours jsonb,
    reference text,
    entity_id text,
    application_id text,
    next_send_at timestamptz,
    waiting_for text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    check ((mode = 'auto_reply') = (trigger_keyword is not null)),
    check ((status = 'completed') = (completed_at is not null)),
    check ((status = 'stopped') = (stopped_at is not null)),
    check ((status = 'paused') = (status_reason is not null))
);
create index campaigns_of_workspace on control.campaigns (workspace_id, id) where deleted_at is null;
create index campaigns_at_work on control.campaigns (id) where status in ('running', 'paused') and deleted_at is null;
create index campaigns_of_account on control.campaigns (telegram_account_id) where status in ('running', 'paused');

-- People of a campaign. Phones rest sealed; `phone_hash` (keyed) finds duplicates and suppressions. No foreign key to the
-- campaign: campaigns are only ever marked as deleted, and looking it up for each row costs an import a fifth of its time.
create table control.contacts (
    id bigint generated always as identity primary key,
    workspace_id bigint not null,
    campaign_id bigint not null,
    telegram_user_id bigint,
    handle text,
    phone_sealed bytea,
    phone_hash bytea,
    first_name text,
    last_name text,
    tags text[] not null default '{}',
    time_zone text,
    columns jsonb not null default '{}',
    created_at timestamptz not null default now(),
    check (telegram_user_id is not null or handle is not null or phone_hash is not null),
    check ((phone_sealed is null) = (phone_hash is null))
);
create index contacts_of_campaign on control.contacts (campaign_id, id);
create unique index contacts_by_user on control.contacts (campaign_id, telegram_user_id) where telegram_user_id is not null;
create unique index contacts_by_handle on control.contacts (campaign_id, handle) where handle is not null;
create unique index contacts_by_phone on control.contacts (campaign_id, phone_hash) where phone_hash is not null;

-- Contacts that were taken out. Messages to them may still be on their way: their rows in the log come from this one,
-- without a name. `person_hashes`: keyed fingerprints of their addresses, so that erasing a person finds these too.
create table control.former_contacts (
    campaign_id bigint not null,        -- 0: test sends
    contact_id bigint not null,
    workspace_id bigint not null,
    person_hashes bytea[] not null default '{}',
    has_job boolean not null default false,  -- a message is made; then the campaign's total counts it still
    removed_at timestamptz not null default now(),
    erased_at timestamptz,
    primary key (campaign_id, contact_id)
);
create index former_contacts_erased on control.former_contacts (contact_id) where erased_at is not null;
create index former_contacts_by_person on control.former_contacts using gin (person_hashes) where erased_at is null;

create table control.imports (
    id bigint generated always as identity primary key,
    workspace_id bigint not null,
    campaign_id bigint not null references control.campaigns,
    format text not null check (format in ('csv', 'json')),
    status text not null default 'queued' check (status in ('queued', 'running', 'completed', 'failed')),
    received bigint not null default 0,
    accepted bigint not null default 0,
    duplicates bigint not null default 0,
    rejected bigint not null default 0,
    message text,
    lease_until timestamptz,
    uploaded_at timestamptz,  -- all its chunks are there
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    check ((status in ('completed', 'failed')) = (finished_at is not null))
);
create index imports_of_campaign on control.imports (campaign_id);
create index imports_open on control.imports (id) where status in ('queued', 'running');

-- The uploaded file rests here until it is worked off, so that any api process can do (and repeat) the work.
create table control.import_chunks (
    import_id bigint not null references control.imports,
    chunk int not null,
    workspace_id bigint not null,
    data bytea not null,
    primary key (import_id, chunk)
);

create table control.import_errors (
    import_id bigint not null references control.imports,
    line bigint not null,
    "column" text not null,
    workspace_id bigint not null,
    value text,
    reason text not null,
    primary key (import_id, line, "column")
);

create table control.suppressions (
    id bigint generated always as identity primary key,
    workspace_id bigint not null references control.workspaces,
    telegram_user_id bigint,
    handle text,
    phone_hash bytea,
    reason text not null,
    created_at timestamptz not null default now(),
    check (telegram_user_id is not null or handle is not null or phone_hash is not null)
);
create unique index suppressions_by_user on control.suppressions (workspace_id, telegram_user_id) where telegram_user_id is not null;
create unique index suppressions_by_handle on control.suppressions (workspace_id, handle) where handle is not null;
create unique index suppressions_by_phone on control.suppressions (workspace_id, phone_hash) where phone_hash is not null;

-- What must be published, written in the transaction that made it true. `stream`: a JetStream message on `subject`;
-- `campaign_state`: put the campaign's state, as it is when relayed, into KV under key `subject`.
create table control.outbox (
    id bigint generated always as identity primary key,
    workspace_id bigint not null,
    kind text not null check (kind in ('stream', 'campaign_state')),
    subject text not null,
    body jsonb not null,
    headers jsonb not null default '{}',
    created_at timestamptz not null default now()
);

call control.protect('control.users');
call control.protect('control.api_tokens');
call control.protect('control.telegram_accounts');
call control.protect('control.login_secrets');
call control.protect('control.account_connections');
call control.protect('control.campaigns');
call control.protect('control.contacts');
call control.protect('control.former_contacts');
call control.protect('control.imports');
call control.protect('control.import_chunks');
-- Compressing what lies here for seconds takes longer than writing it.
alter table control.import_chunks alter column data set storage external;
call control.protect('control.import_errors');
call control.protect('control.suppressions');
-- The relay works for everybody, and an outbox row says nothing that its workspace's events do not say.
alter table control.outbox enable row level security;
create policy relay on control.outbox to relaygram_api, relaygram_dispatcher using (true);

grant select, insert, update on control.users, control.api_tokens, control.telegram_accounts, control.campaigns,
    control.imports to relaygram_api;
grant select, insert, update, delete on control.contacts, control.suppressions, control.login_secrets, control.account_connections,
    control.import_chunks, control.import_errors to relaygram_api;
grant select, insert, update on control.former_contacts to relaygram_api;
grant select on control.former_contacts to relaygram_dispatcher, relaygram_log_writer;
grant select on control.workspaces to relaygram_api;
grant select, insert, update, delete on control.outbox to relaygram_api, relaygram_dispatcher;
grant select on control.campaigns, control.contacts, control.telegram_accounts, control.suppressions, control.imports
    to relaygram_dispatcher, relaygram_gateway;
grant select on control.campaigns to relaygram_log_writer;
grant select, delete on control.login_secrets, control.account_connections to relaygram_gateway;
