-- What is due. Only the dispatcher writes here.
-- One run per campaign: how far its people have been turned into jobs, and by whom this is being done.
create table dispatch.runs (
    run_id bigint generated always as identity primary key,
    campaign_id bigint not null unique,
    workspace_id bigint not null,
    account_id bigint not null,
    -- The lease: who works the run, until when; `epoch` grows with each owner and guards each write.
    lease_owner text,
    lease_until timestamptz,
    epoch bigint not null default 0,
    -- Contacts up to `cursor_contact_id` have a `queued` event and a job, both acknowledged; `jobs_made` counts them.
    cursor_contact_id bigint not null default 0,
    -- Contacts up to here may have them: a page is noted before it is published.
    page_until bigint not null default 0,
    jobs_made bigint not null default 0,
    -- All contacts of this generation (control.campaigns.contacts_generation) are expanded.
    expanded_generation bigint,
    reconciled_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    finished_at timestamptz
);
create index runs_open on dispatch.runs (campaign_id) where finished_at is null;
call control.protect('dispatch.runs');
grant select, insert, update on dispatch.runs to relaygram_dispatcher;
grant select on dispatch.runs to relaygram_api;
