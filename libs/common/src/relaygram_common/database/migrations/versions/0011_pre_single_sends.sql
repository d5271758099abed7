-- One message to one person, outside any run: a test of a campaign, or the answer to who wants no more messages. The row is
-- what is to be sent; the log has it under campaign 0.
create table control.single_sends (
    -- The `contact_id` of its job, and the log's sender_id; no contact has it.
    id bigint primary key default nextval('control.contacts_id_seq'),
    workspace_id bigint not null references control.workspaces,
    trigger text not null default 'test' check (trigger in ('test', 'opt_out')),
    campaign_id bigint references control.campaigns,        -- whose text a test has
    body text,                                              -- the text itself: of all others, and of a step's test
    attachments bigint[] not null default '{}',             -- what goes with it
    triggered_by_message_id bigint,
    account_id bigint not null references control.telegram_accounts,
    job_id uuid not null unique,
    telegram_user_id bigint,
    handle text,
    phone_sealed bytea,                                     -- additional data `contact-phone:0`, as its job says
    phone_hash bytea,
    first_name text,
    last_name text,
    columns jsonb not null default '{}',
    person_hashes bytea[] not null default '{}',            -- an erased person is known by these
    created_at timestamptz not null default now(),
    -- When its job is published once more, in case the first one was lost with its stream.
    relay_again_at timestamptz not null default now() + interval '1 minute',
    closed_at timestamptz,                                  -- its end was told; set by the gateway
    check (telegram_user_id is not null or handle is not null or phone_hash is not null),
    check ((phone_sealed is null) = (phone_hash is null)),
    check ((trigger = 'test') = (campaign_id is not null) and (trigger = 'test' or body is not null))
);
create index single_sends_of_campaign on control.single_sends (campaign_id);
-- Which accounts have tests to send; a little after the last one too, for copies of its job.
create index single_sends_open on control.single_sends (account_id, coalesce(closed_at, 'infinity'));
create index single_sends_to_relay on control.single_sends (relay_again_at) where closed_at is null;
call control.protect('control.single_sends');
grant select, insert, delete on control.single_sends to relaygram_api;
grant usage on sequence control.contacts_id_seq to relaygram_api;
call control.audit_changes('control.single_sends', 'test_send', 'insert',
    p_secret => '{telegram_user_id,handle,first_name,last_name,columns}');
call control.audit_changes('control.account_connections', 'account_connection', 'insert or update', p_id => 'account_id');

grant select, update (closed_at) on control.single_sends to relaygram_gateway;

-- The job of a test, as a line of the outbox. That of one that is still open is told again after a minute, two, four and
-- so on: a job that is there already does no harm, since its admission knows it.
create function control.relay_single(t control.single_sends) returns void
language sql security definer set search_path = pg_catalog as $$
    insert into control.outbox (workspace_id, kind, subject, body, headers)
    values (t.workspace_id, 'stream', format('send.job.%s.0', t.account_id),
            jsonb_build_object('job_id', t.job_id, 'workspace_id', t.workspace_id, 'account_id', t.account_id,
                               'campaign_id', 0, 'contact_id', t.id, 'run_id', 0, 'step', 0, 'trigger', t.trigger,
                               'triggered_by_message_id', t.triggered_by_message_id,
                               'queued_at', to_char(t.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
            jsonb_build_object('Nats-Msg-Id', t.job_id))
$$;

create function control.relay_singles_again() returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
    t control.single_sends;
    v_count bigint := 0;
begin
    for t in select * from control.single_sends o where o.closed_at is null and o.relay_again_at < now()
              order by o.relay_again_at limit 100 for update skip locked
    loop
        update control.single_sends o set relay_again_at = now() + (now() - o.created_at) where o.id = t.id;
        perform control.relay_single(t);
        v_count := v_count + 1;
    end loop;
    return v_count;
end
$$;
revoke execute on function control.relay_single, control.relay_singles_again from public;
grant execute on function control.relay_single to relaygram_api;
grant execute on function control.relay_singles_again to relaygram_dispatcher;
