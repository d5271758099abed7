-- What api processes share about requests: rate limits, failed log-ins, answers kept for idempotency keys.
-- The tables of limits are unlogged: after a crash of PostgreSQL everybody starts anew. Nobody reads them but these
-- functions, which the api calls before it knows a workspace, or for many at once.
create unlogged table control.request_limits (
    surface text not null,
    caller_id bigint not null,  -- a token or a workspace, as the surface counts
    requests_left double precision not null,
    as_of timestamptz not null,
    primary key (surface, caller_id)
) with (fillfactor = 50);  -- and no further index: so an update touches one page
alter table control.request_limits enable row level security;

-- A replica takes a slice of requests, which it may let pass without asking again, and gives back what is left of the
-- slice before: so all replicas together never let more pass than the bucket holds.
create function control.take_requests(
    p_surface text, p_caller bigint, p_per_minute int, p_burst int, p_slice int, p_given_back int)
returns table (granted int, requests_left double precision)
language plpgsql security definer set search_path = pg_catalog as $$
declare
    v_now timestamptz := clock_timestamp();
    v_left double precision;
    v_granted int;
begin
    insert into control.request_limits as l (surface, caller_id, requests_left, as_of)
    values (p_surface, p_caller, p_burst, v_now)
    on conflict (surface, caller_id) do update
       set requests_left = least(p_burst, l.requests_left + p_given_back
               + greatest(0, extract(epoch from excluded.as_of - l.as_of)) * p_per_minute / 60),
           as_of = greatest(l.as_of, excluded.as_of)
    returning l.requests_left into v_left;
    v_granted := floor(least(p_slice, v_left));
    if v_granted > 0 then
        update control.request_limits l set requests_left = v_left - v_granted
         where l.surface = p_surface and l.caller_id = p_caller;
    end if;
    return query select v_granted, v_left - v_granted;
end
$$;

-- Tries to log in, by keyed hashes of the e-mail and of the address: open until they are known to have failed.
create unlogged table control.login_tries (
    id bigint generated always as identity primary key,
    who bytea not null,
    has_failed boolean not null default false,
    tried_at timestamptz not null default clock_timestamp()
);
create index login_tries_of_who on control.login_tries (who, tried_at);
create index login_tries_by_age on control.login_tries (tried_at);
alter table control.login_tries enable row level security;

-- Begins a try for each of `p_who`. Without tries: wait so many seconds, since there were `p_limit` failures within a
-- minute, or (0 seconds) since as many tries are open that may fail yet.
create function control.begin_login(p_who bytea[], p_limit int)
returns table (tries bigint[], wait_seconds double precision)
language plpgsql security definer set search_path = pg_catalog as $$
declare
    v_tries bigint[];
    v_wait double precision;
    v_is_full boolean;
begin
    -- In one order, so that two log-ins do not wait for each other.
    perform pg_advisory_xact_lock(hashtextextended('log-ins of ' || encode(w.who, 'hex'), 0))
       from (select distinct unnest(p_who) as who order by 1) w;
    select max(extract(epoch from f.oldest + interval '1 minute' - clock_timestamp())) filter (where f.failed >= p_limit),
           coalesce(bool_or(f.tried >= p_limit), false)
      into v_wait, v_is_full
      from unnest(p_who) w (who)
     cross join lateral (
        select count(*) as tried, count(*) filter (where t.has_failed) as failed,
               (array_agg(t.tried_at order by t.tried_at desc) filter (where t.has_failed))[p_limit] as oldest
          from control.login_tries t
         where t.who = w.who and t.tried_at > clock_timestamp() - interval '1 minute') f;
    if v_is_full then
        return query select null::bigint[], coalesce(v_wait, 0);
        return;
    end if;
    with made as (insert into control.login_tries (who) select distinct unnest(p_who) returning id)
    select array_agg(id) into v_tries from made;
    return query select v_tries, 0::double precision;
end
$$;

-- A try has ended: failures count for a minute, successes do not.
create function control.end_login(p_tries bigint[], p_has_failed boolean) returns void
language sql security definer set search_path = pg_catalog as $$
    delete from control.login_tries t where t.id = any (p_tries) and not p_has_failed;
    update control.login_tries t set has_failed = true where t.id = any (p_tries) and p_has_failed;
$$;

-- The first answer to a keyed request, sealed since some hold secrets. `claim`: which request is at work on it, until
-- `claimed_until` unless it renews; the answer is written in the transaction of its effect, and only under its claim.
create table control.idempotency_keys (
    workspace_id bigint not null references control.workspaces,
    user_id bigint not null references control.users,
    key text not null check (length(key) between 1 and 255),
    route_hash bytea not null,
    body_hash bytea,  -- null while a file is still being received
    claim uuid not null,
    claimed_until timestamptz not null,
    answer_sealed bytea,
    created_at timestamptz not null default now(),
    primary key (user_id, key)
);
create index idempotency_keys_by_age on control.idempotency_keys (created_at);
call control.protect('control.idempotency_keys');
grant select, update, delete on control.idempotency_keys to relaygram_api;

-- Takes a key that is free: unknown, older than a day, or claimed by somebody who fell silent. Else what is known of it;
-- no row when it was given up between these two statements.
create function control.claim_key(
    p_workspace bigint, p_user bigint, p_key text, p_route_hash bytea, p_body_hash bytea, p_claim uuid,
    p_lease_seconds double precision)
returns table (is_mine boolean, route_hash bytea, body_hash bytea, answer_sealed bytea, age_seconds double precision)
language plpgsql security definer set search_path = pg_catalog as $$
begin
    insert into control.idempotency_keys as k (workspace_id, user_id, key, route_hash, body_hash, claim, claimed_until)
    values (p_workspace, p_user, p_key, p_route_hash, p_body_hash, p_claim,
            clock_timestamp() + make_interval(secs => p_lease_seconds))
    on conflict (user_id, key) do update
       set route_hash = excluded.route_hash, body_hash = excluded.body_hash, claim = excluded.claim,
           claimed_until = excluded.claimed_until, answer_sealed = null, created_at = now()
     where k.created_at < now() - interval '1 day' or k.answer_sealed is null and k.claimed_until < clock_timestamp();
    if found then
        return query select true, null::bytea, null::bytea, null::bytea, 0::double precision;
        return;
    end if;
    return query select false, k.route_hash, k.body_hash, k.answer_sealed,
                        extract(epoch from clock_timestamp() - k.created_at)::double precision
                   from control.idempotency_keys k where k.user_id = p_user and k.key = p_key;
end
$$;

-- Removes what no longer counts, at most `p_batch` rows of each; how many they were.
create function control.prune_requests(p_batch int) returns bigint
language sql security definer set search_path = pg_catalog as $$
    with keys as (
        delete from control.idempotency_keys where (user_id, key) in (
            select k.user_id, k.key from control.idempotency_keys k where k.created_at < now() - interval '1 day'
             order by k.created_at limit p_batch for update skip locked)
        returning 1
    ), tries as (
        delete from control.login_tries where id in (
            select t.id from control.login_tries t where t.tried_at < now() - interval '1 minute'
             order by t.tried_at limit p_batch for update skip locked)
        returning 1
    ), limits as (  -- within two minutes every bucket is full again, as one without a row is
        delete from control.request_limits where (surface, caller_id) in (
            select l.surface, l.caller_id from control.request_limits l where l.as_of < now() - interval '3 minutes'
             limit p_batch for update skip locked)
        returning 1
    )
    select (select count(*) from keys) + (select count(*) from tries) + (select count(*) from limits)
$$;

-- For reads without a transaction of their own: raises unless the session works for this workspace.
create function control.demand_workspace(p_workspace bigint) returns boolean
language plpgsql stable set search_path = pg_catalog as $$
begin
    if control.workspace() is distinct from p_workspace then
        raise exception 'this session does not work for workspace %', p_workspace using errcode = 'RG001';
    end if;
    return true;
end
$$;

revoke execute on function control.take_requests, control.begin_login, control.end_login, control.claim_key,
    control.prune_requests, control.demand_workspace from public;
grant execute on function control.take_requests, control.begin_login, control.end_login, control.claim_key,
    control.prune_requests, control.demand_workspace to relaygram_api;
