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
    media_id bigint,                            -- the file that goes with it, likewise
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

-- The text that goes out, kept from its first attempt on; same transaction as admit(). Returns the text to send.
create function telegram.keep_bodies(p_jobs uuid[], p_bodies text[], p_chats bigint[], p_media bigint[] default '{}')
returns table (job_id uuid, body text, media_id bigint) language sql as $$
    update telegram.sends s
       set body = coalesce(s.body, i.body), media_id = case when s.body is null then i.media_id else s.media_id end,
           telegram_user_id = coalesce(i.chat, s.telegram_user_id)
      from unnest(p_jobs, p_bodies, p_chats, p_media) as i (job_id, body, chat, media_id)
     where s.job_id = i.job_id and s.state = 'sending'
    returning s.job_id, s.body, s.media_id
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
