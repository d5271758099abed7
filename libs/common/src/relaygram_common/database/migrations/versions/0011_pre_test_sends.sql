-- One message to one person, to see how a campaign looks. The row is what is to be sent; the log has it under campaign 0.
create table control.test_sends (
    -- The `contact_id` of its job, and the log's sender_id; no contact has it.
    id bigint primary key default nextval('control.contacts_id_seq'),
    workspace_id bigint not null references control.workspaces,
    campaign_id bigint not null references control.campaigns,
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
    check ((phone_sealed is null) = (phone_hash is null))
);
create index test_sends_of_campaign on control.test_sends (campaign_id);
-- Which accounts have tests to send; a little after the last one too, for copies of its job.
create index test_sends_open on control.test_sends (account_id, coalesce(closed_at, 'infinity'));
create index test_sends_to_relay on control.test_sends (relay_again_at) where closed_at is null;
call control.protect('control.test_sends');
grant select, insert, delete on control.test_sends to relaygram_api;
grant usage on sequence control.contacts_id_seq to relaygram_api;
call control.audit_changes('control.test_sends', 'test_send', 'insert',
    p_secret => '{telegram_user_id,handle,first_name,last_name,columns}');
call control.audit_changes('control.account_connections', 'account_connection', 'insert or update', p_id => 'account_id');

grant select, update (closed_at) on control.test_sends to relaygram_gateway;

-- The job of a test, as a line of the outbox. That of one that is still open is told again after a minute, two, four and
-- so on: a job that is there already does no harm, since its admission knows it.
create function control.relay_test(t control.test_sends) returns void
language sql security definer set search_path = pg_catalog as $$
    insert into control.outbox (workspace_id, kind, subject, body, headers)
    values (t.workspace_id, 'stream', format('send.job.%s.0', t.account_id),
            jsonb_build_object('job_id', t.job_id, 'workspace_id', t.workspace_id, 'account_id', t.account_id,
                               'campaign_id', 0, 'contact_id', t.id, 'run_id', 0, 'step', 0, 'trigger', 'test',
                               'queued_at', to_char(t.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
            jsonb_build_object('Nats-Msg-Id', t.job_id))
$$;

create function control.relay_tests_again() returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
    t control.test_sends;
    v_count bigint := 0;
begin
    for t in select * from control.test_sends o where o.closed_at is null and o.relay_again_at < now()
              order by o.relay_again_at limit 100 for update skip locked
    loop
        update control.test_sends o set relay_again_at = now() + (now() - o.created_at) where o.id = t.id;
        perform control.relay_test(t);
        v_count := v_count + 1;
    end loop;
    return v_count;
end
$$;
revoke execute on function control.relay_test, control.relay_tests_again from public;
grant execute on function control.relay_test to relaygram_api;
grant execute on function control.relay_tests_again to relaygram_dispatcher;

-- admit() for test sends: the campaign may be in any state, and the person is the row's. The same decisions and columns,
-- and one more: expired, when nobody got round to it for an hour.
create function telegram.admit_tests(p_account bigint, p_term bigint, p_max_attempts int, p_jobs uuid[], p_contacts bigint[])
returns table (
    job_id uuid, decision text, ledger_state text, attempt int, network_failures int,
    first_at timestamptz, last_at timestamptz, decided_at timestamptz,
    sent_body text, telegram_message_id bigint, code text, message text,
    workspace_id bigint, template text, first_name text, last_name text, columns jsonb,
    contact_user_id bigint, contact_handle text, contact_phone_sealed bytea, contact_phone_hash bytea,
    peer_user_id bigint, peer_access_hash bigint,
    reference text, entity_id text, application_id text)
language plpgsql as $$
#variable_conflict use_column
begin
    perform telegram.demand_term(p_account, p_term);
    return query
    with job as (
        select * from unnest(p_jobs, p_contacts) as j (job_id, contact_id)
    ),
    judged as (
        select j.job_id, j.contact_id, s.state as ledger_state,
               case when s.state in ('accepted', 'refused', 'dropped') then 'final'
                    when c.id is null or c.deleted_at is not null then 'gone'
                    when t.account_id <> p_account or s.account_id <> p_account then 'foreign'
                    when exists (select from control.suppressions x where x.workspace_id = c.workspace_id
                                  and (x.telegram_user_id in (t.telegram_user_id, e.telegram_user_id)
                                       or x.handle in (t.handle, e.handle)
                                       or x.phone_hash in (t.phone_hash, e.phone_hash)
                                       or x.person_hash = any (t.person_hashes))) then 'suppressed'
                    when s.job_id is null and t.created_at < now() - interval '1 hour' then 'expired'
                    when s.attempt >= p_max_attempts then 'exhausted'
                    else 'send' end as decision,
               f.workspace_id, c.body as template, t.first_name, t.last_name, t.columns,
               t.telegram_user_id as contact_user_id, t.handle as contact_handle,
               t.phone_sealed as contact_phone_sealed, t.phone_hash as contact_phone_hash,
               e.telegram_user_id as peer_user_id, e.access_hash as peer_access_hash,
               c.reference, c.entity_id, c.application_id
          from job j
          join telegram.fences f on f.account_id = p_account
          left join telegram.sends s on s.job_id = j.job_id
          left join control.test_sends t on t.job_id = j.job_id and t.workspace_id = f.workspace_id
          left join control.campaigns c on c.id = t.campaign_id and c.workspace_id = f.workspace_id
          left join lateral (
              select q.telegram_user_id, q.access_hash, q.handle, q.phone_hash from telegram.peers q
               where q.account_id = p_account
                 and (q.telegram_user_id = t.telegram_user_id or q.handle = t.handle or q.phone_hash = t.phone_hash)
               order by (q.telegram_user_id = t.telegram_user_id) desc nulls last, (q.handle = t.handle) desc nulls last
               limit 1) e on true
    ),
    entered as (
        insert into telegram.sends as s (job_id, workspace_id, campaign_id, account_id, contact_id, step, state, attempt, term,
                                         code, message, first_at, last_at, decided_at)
        select g.job_id, g.workspace_id, 0, p_account, g.contact_id, 0,
               case g.decision when 'send' then 'sending' else 'dropped' end,
               case g.decision when 'send' then 1 else 0 end, p_term,
               case g.decision when 'send' then null else upper(g.decision) end,
               case g.decision when 'suppressed' then 'The person is on the suppression list.'
                               when 'expired' then 'The test could not be sent within an hour.'
                               when 'gone' then 'The campaign no longer exists.' end,
               clock_timestamp(), clock_timestamp(), case g.decision when 'send' then null else clock_timestamp() end
          from judged g
         where g.decision = 'send' or g.decision in ('suppressed', 'gone', 'expired') and g.ledger_state is null
         order by g.job_id
        on conflict (job_id) do update
           set attempt = s.attempt + 1, term = excluded.term, last_at = excluded.last_at
         where s.state = 'sending' and excluded.state = 'sending' and s.term <= excluded.term
        returning s.job_id, s.state, s.attempt, s.network_failures, s.first_at, old.last_at, s.decided_at, s.body,
                  s.telegram_message_id, s.code, s.message
    )
    select g.job_id, g.decision, coalesce(n.state, s.state), coalesce(n.attempt, s.attempt, 0),
           coalesce(n.network_failures, s.network_failures, 0), coalesce(n.first_at, s.first_at),
           coalesce(n.last_at, s.last_at), coalesce(n.decided_at, s.decided_at), coalesce(n.body, s.body),
           coalesce(n.telegram_message_id, s.telegram_message_id), coalesce(n.code, s.code), coalesce(n.message, s.message),
           g.workspace_id, g.template, g.first_name, g.last_name, g.columns, g.contact_user_id, g.contact_handle,
           g.contact_phone_sealed, g.contact_phone_hash, g.peer_user_id, g.peer_access_hash,
           g.reference, g.entity_id, g.application_id
      from judged g
      left join entered n on n.job_id = g.job_id
      left join telegram.sends s on s.job_id = g.job_id;
end
$$;
revoke execute on function telegram.admit_tests from public;
grant execute on function telegram.admit_tests to relaygram_gateway;
