-- The gateway's own truth: what it sent, as whom, and who may write at all.

-- One row per account: `term` grows whenever a gateway takes the account's lease; each write names its term and an
-- older one is refused. (PostgreSQL counts the terms, so that a lost lease bucket can not turn the clock back.)
create table telegram.fences (
    account_id bigint primary key,
    workspace_id bigint not null,
    term bigint not null,
    owner text not null,
    running boolean not null default true,  -- false: its owner let go of it
    taken_at timestamptz not null default now()
);

-- Which gateways are alive: each says so every few seconds. What a gateway owned that is silent, nobody runs.
create table telegram.gateways (
    instance text primary key,
    seen_at timestamptz not null
);

create table telegram.sessions (
    account_id bigint primary key,
    workspace_id bigint not null,
    sealed bytea not null,
    updated_at timestamptz not null default now()
);

-- A log-in half way: survives a restart of the gateway.
create table telegram.logins (
    account_id bigint primary key,
    workspace_id bigint not null,
    session_sealed bytea not null,
    phone_code_hash text,
    updated_at timestamptz not null default now()
);

create table telegram.update_states (
    account_id bigint primary key,
    workspace_id bigint not null,
    pts int not null,
    qts int not null,
    date timestamptz not null,
    seq int not null,
    updated_at timestamptz not null default now()
);

-- Whom an account can reach: the access hash is worth something to this account only.
create table telegram.peers (
    account_id bigint not null,
    telegram_user_id bigint not null,
    workspace_id bigint not null,
    access_hash bigint not null,
    handle text,
    phone_hash bytea,
    updated_at timestamptz not null default now(),
    primary key (account_id, telegram_user_id)
);
create unique index peers_by_handle on telegram.peers (account_id, handle) where handle is not null;
create unique index peers_by_phone on telegram.peers (account_id, phone_hash) where phone_hash is not null;

-- The ledger. A row is committed before the first byte of its message leaves; nothing is sent without one.
-- sending: on the wire, or its outcome is unknown · accepted, refused: Telegram's answer · dropped: never to be sent.
create table telegram.sends (
    job_id uuid primary key,
    workspace_id bigint not null,
    campaign_id bigint not null,
    account_id bigint not null,
    contact_id bigint not null,
    step int not null,
    state text not null check (state in ('sending', 'accepted', 'refused', 'dropped')),
    attempt int not null,                       -- times admitted
    network_failures int not null default 0,    -- of these: ended by a 5xx or a timeout on a live connection
    term bigint not null,
    body text,                                  -- as first sent: what is looked up, and sent again, must be the same
    telegram_user_id bigint,                    -- the chat it went to
    telegram_message_id bigint,
    code text,
    message text,
    first_at timestamptz not null,
    last_at timestamptz not null,
    decided_at timestamptz,
    erased_at timestamptz,                      -- text and chat leave with the outcome, at the latest
    check ((state = 'sending') = (decided_at is null))
);
create index sends_of_campaign on telegram.sends (campaign_id, state);
create index sends_open on telegram.sends (account_id, campaign_id) where state = 'sending';
create index sends_by_message on telegram.sends (account_id, telegram_message_id) where telegram_message_id is not null;

-- Messages an account tried to send, in one-minute buckets: the hour's and day's limits are sums of these.
create table telegram.usage (
    account_id bigint not null,
    minute timestamptz not null,
    workspace_id bigint not null,
    sends int not null,
    primary key (account_id, minute)
);

-- FLOOD_WAIT and its kin: the account may not call this method before then.
create table telegram.blocks (
    account_id bigint not null,
    method text not null,
    workspace_id bigint not null,
    blocked_until timestamptz not null,
    code text not null,
    primary key (account_id, method)
);

call control.protect('telegram.fences');
call control.protect('telegram.sessions');
call control.protect('telegram.logins');
call control.protect('telegram.update_states');
call control.protect('telegram.peers');
call control.protect('telegram.sends');
call control.protect('telegram.usage');
call control.protect('telegram.blocks');
grant select, insert, update, delete on all tables in schema telegram to relaygram_gateway;
grant select on telegram.sends, telegram.usage to relaygram_api, relaygram_dispatcher;
grant select on telegram.fences, telegram.gateways to relaygram_api;

-- Raised (SQLSTATE RG001) when a write carries an older term than the account's.
create function telegram.demand_term(p_account bigint, p_term bigint) returns void language plpgsql as $$
begin
    -- Held until commit: who takes the lease next waits for writes of this term, or these wait and are refused.
    perform from telegram.fences f where f.account_id = p_account and f.term = p_term for share;
    if not found then
        raise exception 'account % is no longer run under term %', p_account, p_term using errcode = 'RG001';
    end if;
end
$$;

create function telegram.take_term(p_workspace bigint, p_account bigint, p_owner text) returns bigint language sql as $$
    insert into telegram.fences as f (account_id, workspace_id, term, owner) values (p_account, p_workspace, 1, p_owner)
    on conflict (account_id) do update set term = f.term + 1, owner = excluded.owner, running = true, taken_at = now()
    returning term
$$;

-- Admission: may these jobs be sent, as things stand now? One call per pulled batch, committed before the first byte.
-- decision: send (a ledger row now says `sending`, `attempt` counts this one) · final (decided before: `ledger_state`,
-- publish its event again) · paused · stopped · suppressed · gone · foreign (not this account's campaign) ·
-- exhausted (tried `p_max_attempts` times).
-- For stopped, suppressed, gone and exhausted: a job never on the wire is `dropped` here and now (`ledger_state` says
-- so); one whose outcome is unknown stays `sending`, and the caller looks in the chat before it decides.
create function telegram.admit(p_account bigint, p_term bigint, p_max_attempts int,
                               p_jobs uuid[], p_campaigns bigint[], p_contacts bigint[], p_steps int[])
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
        select * from unnest(p_jobs, p_campaigns, p_contacts, p_steps) as j (job_id, campaign_id, contact_id, step)
    ),
    judged as (
        select j.job_id, j.campaign_id, j.contact_id, j.step, s.state as ledger_state,
               case when s.state in ('accepted', 'refused', 'dropped') then 'final'
                    when c.id is null or c.deleted_at is not null or p.id is null then 'gone'
                    when c.telegram_account_id <> p_account or s.account_id <> p_account then 'foreign'
                    when c.status = 'paused' then 'paused'
                    when c.status <> 'running' then 'stopped'
                    when exists (select from control.suppressions x where x.workspace_id = c.workspace_id
                                  and (x.telegram_user_id in (p.telegram_user_id, e.telegram_user_id)
                                       or x.handle in (p.handle, e.handle)
                                       or x.phone_hash in (p.phone_hash, e.phone_hash)
                                       or x.person_hash = p.phone_hash)) then 'suppressed'
                    when s.attempt >= p_max_attempts then 'exhausted'
                    else 'send' end as decision,
               f.workspace_id, c.body as template, p.first_name, p.last_name, p.columns,
               p.telegram_user_id as contact_user_id, p.handle as contact_handle,
               p.phone_sealed as contact_phone_sealed, p.phone_hash as contact_phone_hash,
               e.telegram_user_id as peer_user_id, e.access_hash as peer_access_hash,
               c.reference, c.entity_id, c.application_id
          from job j
          join telegram.fences f on f.account_id = p_account
          left join telegram.sends s on s.job_id = j.job_id
          left join control.campaigns c on c.id = j.campaign_id and c.workspace_id = f.workspace_id
          left join control.contacts p on p.id = j.contact_id and p.campaign_id = j.campaign_id
          left join lateral (
              select q.telegram_user_id, q.access_hash, q.handle, q.phone_hash from telegram.peers q
               where q.account_id = p_account
                 and (q.telegram_user_id = p.telegram_user_id or q.handle = p.handle or q.phone_hash = p.phone_hash)
               order by (q.telegram_user_id = p.telegram_user_id) desc nulls last, (q.handle = p.handle) desc nulls last
               limit 1) e on true
    ),
    entered as (
        insert into telegram.sends as s (job_id, workspace_id, campaign_id, account_id, contact_id, step, state, attempt, term,
                                         code, message, first_at, last_at, decided_at)
        select g.job_id, g.workspace_id, g.campaign_id, p_account, g.contact_id, g.step,
               case g.decision when 'send' then 'sending' else 'dropped' end,
               case g.decision when 'send' then 1 else 0 end, p_term,
               case g.decision when 'send' then null else upper(g.decision) end,
               case g.decision when 'stopped' then 'The campaign was stopped before this message was sent.'
                               when 'suppressed' then 'The person is on the suppression list.'
                               when 'gone' then 'The campaign or the contact no longer exists.' end,
               clock_timestamp(), clock_timestamp(), case g.decision when 'send' then null else clock_timestamp() end
          from judged g
         where g.decision = 'send' or g.decision in ('stopped', 'suppressed', 'gone') and g.ledger_state is null
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
comment on function telegram.admit is 'last_at is that of the attempt before this one (null on the first).';

-- The text that goes out, kept from its first attempt on; same transaction as admit(). Returns the text to send.
create function telegram.keep_bodies(p_jobs uuid[], p_bodies text[], p_chats bigint[])
returns table (job_id uuid, body text) language sql as $$
    update telegram.sends s set body = coalesce(s.body, i.body), telegram_user_id = coalesce(i.chat, s.telegram_user_id)
      from unnest(p_jobs, p_bodies, p_chats) as i (job_id, body, chat)
     where s.job_id = i.job_id and s.state = 'sending'
    returning s.job_id, s.body
$$;

-- Telegram's answers. state `sending` with `network_failed` counts a failure and leaves the outcome open.
create function telegram.record(p_account bigint, p_term bigint, p_jobs uuid[], p_states text[], p_chats bigint[],
                                p_message_ids bigint[], p_codes text[], p_messages text[], p_network_failed boolean[])
returns table (job_id uuid, state text, attempt int, network_failures int, decided_at timestamptz)
language plpgsql as $$
#variable_conflict use_column
begin
    perform telegram.demand_term(p_account, p_term);
    return query
    update telegram.sends s
       set state = i.state,
           body = case when s.erased_at is null or i.state = 'sending' then s.body end,
           telegram_user_id = case when s.erased_at is null or i.state = 'sending'
                                   then coalesce(i.chat, s.telegram_user_id) end,
           telegram_message_id = coalesce(i.message_id, s.telegram_message_id),
           code = i.code,
           message = i.message,
           network_failures = s.network_failures + i.network_failed::int,
           decided_at = case when i.state <> 'sending' then clock_timestamp() end
      from (select * from unnest(p_jobs, p_states, p_chats, p_message_ids, p_codes, p_messages, p_network_failed)
                as i (job_id, state, chat, message_id, code, message, network_failed) order by job_id) i
     where s.job_id = i.job_id and s.state = 'sending' and s.account_id = p_account
    returning s.job_id, s.state, s.attempt, s.network_failures, s.decided_at;
end
$$;

revoke execute on all functions in schema telegram from public;
grant execute on all functions in schema telegram to relaygram_gateway;
