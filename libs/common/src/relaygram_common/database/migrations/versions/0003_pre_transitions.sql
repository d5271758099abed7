-- The state tables, as data, and the functions that are the only way through them.
create table control.campaign_transitions (
    status text not null,
    action text not null,
    next_status text not null,  -- the same as status: nothing happens, the caller is told so
    primary key (status, action)
);
insert into control.campaign_transitions (status, action, next_status) values
    ('draft', 'start', 'running'),
    ('running', 'start', 'running'),
    ('paused', 'start', 'running'),
    ('running', 'pause', 'paused'),
    ('paused', 'pause', 'paused'),
    ('draft', 'stop', 'stopped'),
    ('running', 'stop', 'stopped'),
    ('paused', 'stop', 'stopped'),
    ('stopped', 'stop', 'stopped'),
    ('running', 'complete', 'completed'),
    ('running', 'account_down', 'paused'),
    ('running', 'content_error', 'paused'),
    ('paused', 'account_up', 'running');

create table control.account_transitions (
    status text not null,
    next_status text not null,
    primary key (status, next_status)
);
insert into control.account_transitions (status, next_status) values
    ('new', 'code_required'), ('new', 'password_required'), ('new', 'active'), ('new', 'disabled'),
    ('code_required', 'code_required'), ('code_required', 'password_required'), ('code_required', 'active'),
    ('code_required', 'disabled'), ('code_required', 'new'),
    ('password_required', 'password_required'), ('password_required', 'active'), ('password_required', 'disabled'),
    ('password_required', 'code_required'), ('password_required', 'new'),
    ('active', 'active'), ('active', 'backing_off'), ('active', 'disabled'),
    ('backing_off', 'active'), ('backing_off', 'backing_off'), ('backing_off', 'disabled'),
    ('disabled', 'new'), ('disabled', 'active'),
    ('new', 'logged_out'), ('code_required', 'logged_out'), ('password_required', 'logged_out'),
    ('active', 'logged_out'), ('backing_off', 'logged_out'), ('disabled', 'logged_out');

grant select on control.campaign_transitions, control.account_transitions
    to relaygram_api, relaygram_dispatcher, relaygram_gateway;

-- A public event, in CloudEvents' binary mode. Its id is drawn here, so that every relay of it carries the same.
create function control.emit(p_workspace bigint, p_type text, p_subject text, p_body jsonb) returns void
language plpgsql security definer set search_path = pg_catalog as $$
declare
    v_id uuid := gen_random_uuid();
    v_now text := to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
begin
    insert into control.outbox (workspace_id, kind, subject, body, headers) values (
        p_workspace, 'stream', p_subject,
        jsonb_build_object('event_id', v_id, 'workspace_id', p_workspace, 'occurred_at', v_now) || p_body,
        jsonb_build_object('Nats-Msg-Id', v_id, 'ce-specversion', '1.0', 'ce-id', v_id, 'ce-type', p_type,
                           'ce-source', '/workspaces/' || p_workspace, 'ce-time', v_now,
                           'content-type', 'application/json'));
end
$$;

-- A doorbell: says which row changed, for who wants to look.
create function control.ring(p_workspace bigint, p_subject text, p_body jsonb) returns void
language sql security definer set search_path = pg_catalog as $$
    insert into control.outbox (workspace_id, kind, subject, body) values (p_workspace, 'stream', p_subject, p_body)
$$;

-- Moves a campaign. Outcomes: changed | unchanged | refused | not_found | no_contacts | unknown_tokens | import_running.
-- `p_actor` is for people: user:7, dispatcher, gateway. One row lock, so ten calls at once are as good as one; not
-- `for update`, which would wait for an import whose new contacts refer to the campaign.
create function control.transition(p_workspace bigint, p_campaign bigint, p_action text, p_actor text)
returns table (outcome text, from_status text, status text, version bigint)
language plpgsql security definer set search_path = pg_catalog as $$
declare
    c control.campaigns;
    v_from text;
    v_next text;
    v_reason text;
    v_kind text;
    v_account_status text;
begin
    select * into c from control.campaigns k
     where k.id = p_campaign and k.workspace_id = p_workspace and k.deleted_at is null for no key update;
    if not found then
        return query select 'not_found', null::text, null::text, null::bigint;
        return;
    end if;
    v_from := c.status;
    select t.next_status into v_next from control.campaign_transitions t where t.status = c.status and t.action = p_action;
    if not found or (p_action = 'account_up' and c.status_reason <> 'account_down') then
        return query select 'refused', c.status, c.status, c.version;
        return;
    end if;
    if p_action = 'start' and c.status <> 'running' then
        if exists (select from control.imports i where i.campaign_id = c.id and i.status in ('queued', 'running')) then
            return query select 'import_running', c.status, c.status, c.version;
            return;
        end if;
        if c.mode = 'broadcast' and c.total_contacts = 0 then
            return query select 'no_contacts', c.status, c.status, c.version;
            return;
        end if;
        -- What is saved later is compared when it is saved. So many columns are not all known.
        if c.status = 'draft' and cardinality(c.contact_columns) < 1000 and not c.asks_for <@ c.contact_columns then
            return query select 'unknown_tokens', c.status, c.status, c.version;
            return;
        end if;
        select a.status into v_account_status from control.telegram_accounts a where a.id = c.telegram_account_id for share;
        if v_account_status not in ('active', 'backing_off') then
            v_next := 'paused';  -- it goes on by itself when the account is back
        end if;
    end if;
    v_reason := case when v_next <> 'paused' then null
                     when p_action = 'pause' then 'user'
                     when p_action = 'content_error' then 'content_error'
                     else 'account_down' end;
    if v_next = c.status and v_reason is not distinct from c.status_reason then
        return query select 'unchanged', c.status, c.status, c.version;
        return;
    end if;
    update control.campaigns k
       set status = v_next,
           status_reason = v_reason,
           version = k.version + 1,
           scheduled_at = case when p_action = 'start' and k.scheduled_at > now() then null else k.scheduled_at end,
           started_at = case when p_action = 'start' then coalesce(k.started_at, now()) else k.started_at end,
           started_by_schedule = k.started_by_schedule or p_action = 'start' and k.started_at is null and p_actor = 'schedule',
           completed_at = case when v_next = 'completed' then now() end,
           stopped_at = case when v_next = 'stopped' then now() end,
           updated_at = now()
     where k.id = c.id
    returning * into c;
    v_kind := case when p_action = 'start' and v_next = 'running' and c.started_at = now() then 'started'
                   when v_next = 'running' then 'resumed' else v_next end;
    perform control.announce(c, p_action, v_kind, v_reason, p_actor);
    return query select 'changed', v_from, c.status, c.version;
end
$$;

-- Tells the world of a campaign's new version: the doorbell, the public event and the state for the gateways.
create function control.announce(c control.campaigns, p_verb text, p_kind text, p_reason text, p_actor text) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform control.ring(c.workspace_id, format('campaign.command.%s.%s.%s', p_verb, c.workspace_id, c.id),
        jsonb_build_object('workspace_id', c.workspace_id, 'campaign_id', c.id, 'version', c.version));
    perform control.emit(c.workspace_id, 'com.relaygram.campaign.' || p_kind || '.v1',
        format('campaign.event.%s.%s.%s', c.workspace_id, p_kind, c.id),
        jsonb_build_object('campaign_id', c.id, 'version', c.version, 'kind', p_kind, 'reason', p_reason, 'actor', p_actor,
            'counts', (select jsonb_build_object('total_contacts', c.total_contacts, 'sent', coalesce(max(k.sent), 0),
                                                 'failed', coalesce(max(k.failed), 0), 'pending', coalesce(max(k.pending), 0))
                         from delivery.campaign_counters k where k.campaign_id = c.id)));
    insert into control.outbox (workspace_id, kind, subject, body)
    values (c.workspace_id, 'campaign_state', format('%s.%s', c.telegram_account_id, c.id),
            jsonb_build_object('campaign_id', c.id, 'version', c.version));
end
$$;

-- Soft: it leaves every list and what is queued is not sent any more; its log stays. False when there is none.
create function control.delete_campaign(p_workspace bigint, p_campaign bigint, p_actor text) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
declare
    c control.campaigns;
begin
    update control.campaigns k set deleted_at = now(), version = k.version + 1, updated_at = now()
     where k.id = p_campaign and k.workspace_id = p_workspace and k.deleted_at is null
    returning * into c;
    if not found then
        return false;
    end if;
    perform control.announce(c, 'delete', 'deleted', null, p_actor);
    return true;
end
$$;

-- Moves a Telegram account; its campaigns follow. Outcomes: changed | unchanged | refused | not_found.
create function control.account_transition(
    p_workspace bigint, p_account bigint, p_status text, p_reason text,
    p_until timestamptz default null, p_telegram_user_id bigint default null, p_handle text default null)
returns table (outcome text, from_status text, status text)
language plpgsql security definer set search_path = pg_catalog as $$
declare
    a control.telegram_accounts;
    v_from text;
    v_campaign bigint;
begin
    -- Campaigns are locked before their account, here and in transition().
    perform from control.campaigns c where c.telegram_account_id = p_account and c.status in ('running', 'paused')
      order by c.id for no key update;
    select * into a from control.telegram_accounts k
     where k.id = p_account and k.workspace_id = p_workspace and k.deleted_at is null for update;
    if not found then
        return query select 'not_found', null::text, null::text;
        return;
    end if;
    v_from := a.status;
    if not exists (select from control.account_transitions t where t.status = v_from and t.next_status = p_status) then
        return query select case when v_from = p_status then 'unchanged' else 'refused' end, v_from, v_from;
        return;
    end if;
    if v_from = p_status and a.status_reason is not distinct from p_reason and a.backing_off_until is not distinct from p_until
       and a.telegram_user_id is not distinct from coalesce(p_telegram_user_id, a.telegram_user_id)
       and a.handle is not distinct from coalesce(p_handle, a.handle) then
        return query select 'unchanged', v_from, v_from;
        return;
    end if;
    update control.telegram_accounts k
       set status = p_status, status_reason = p_reason, backing_off_until = p_until,
           telegram_user_id = coalesce(p_telegram_user_id, k.telegram_user_id), handle = coalesce(p_handle, k.handle),
           version = k.version + 1, updated_at = now()
     where k.id = a.id;
    -- An active account that tells why it stands still has not connected anew.
    if p_status <> 'new' and not (v_from = 'active' and p_status = 'active') then
        perform control.emit(a.workspace_id, 'com.relaygram.account.' || case p_status when 'active' then 'connected' else p_status end || '.v1',
            format('account.event.%s.%s.%s', a.workspace_id, case p_status when 'active' then 'connected' else p_status end, a.id),
            jsonb_build_object('account_id', a.id, 'kind', case p_status when 'active' then 'connected' else p_status end,
                               'status', p_status, 'reason', p_reason, 'until', p_until));
    end if;
    for v_campaign in select c.id from control.campaigns c
        where c.telegram_account_id = a.id and c.deleted_at is null
          and (c.status = 'running' and p_status in ('disabled', 'logged_out')
               or c.status = 'paused' and c.status_reason = 'account_down' and p_status in ('active', 'backing_off'))
        order by c.id
    loop
        perform control.transition(a.workspace_id, v_campaign,
            case when p_status in ('active', 'backing_off') then 'account_up' else 'account_down' end, 'account');
    end loop;
    return query select 'changed', v_from, p_status;
end
$$;

-- Looked up before a workspace is known: whose token is this, whose e-mail is this.
create function control.token_by_id(p_id bigint)
returns table (id bigint, workspace_id bigint, user_id bigint, secret_hash bytea, abilities text[], expires_at timestamptz,
               revoked_at timestamptz, last_used_at timestamptz, disabled_at timestamptz)
language sql stable security definer set search_path = pg_catalog as $$
    select t.id, t.workspace_id, t.user_id, t.secret_hash, t.abilities, t.expires_at, t.revoked_at, t.last_used_at,
           u.disabled_at
      from control.api_tokens t join control.users u on u.id = t.user_id where t.id = p_id
$$;

create function control.user_by_email(p_email text)
returns table (id bigint, workspace_id bigint, email text, name text, password_hash text, disabled_at timestamptz)
language sql stable security definer set search_path = pg_catalog as $$
    select u.id, u.workspace_id, u.email, u.name, u.password_hash, u.disabled_at
      from control.users u where lower(u.email) = lower(p_email)
$$;

-- Takes an import that waits, or whose worker has not renewed its lease; one at a time for a campaign. One that was
-- never uploaded to its end (its lease is the upload's) is given too, to be closed.
create function control.claim_import(p_lease_seconds double precision)
returns table (id bigint, workspace_id bigint, campaign_id bigint, format text, uploaded boolean)
language sql security definer set search_path = pg_catalog as $$
    update control.imports i
       set status = 'running', lease_until = now() + make_interval(secs => p_lease_seconds)
     where i.id = (select o.id from control.imports o
                    where o.status in ('queued', 'running') and (o.lease_until is null or o.lease_until < now())
                      and not exists (select from control.imports b where b.campaign_id = o.campaign_id and b.id < o.id
                                       and b.status in ('queued', 'running') and b.uploaded_at is not null)
                    order by o.id limit 1 for update skip locked)
    returning i.id, i.workspace_id, i.campaign_id, i.format, i.uploaded_at is not null
$$;

-- What the outbox's relay puts into KV; the relay works for every workspace, also in the api, which sees only one.
create function control.campaign_states(p_campaigns bigint[])
returns table (id bigint, state text, version bigint, mode text, deleted boolean)
language sql stable security definer set search_path = pg_catalog as $$
    select c.id, c.status, c.version, c.mode, c.deleted_at is not null from control.campaigns c where c.id = any (p_campaigns)
$$;

revoke execute on all functions in schema control from public;
grant execute on function control.workspace(), control.every_workspace()
    to relaygram_api, relaygram_dispatcher, relaygram_gateway, relaygram_log_writer;
grant execute on function control.transition(bigint, bigint, text, text) to relaygram_api, relaygram_dispatcher, relaygram_gateway;
grant execute on function control.account_transition(bigint, bigint, text, text, timestamptz, bigint, text)
    to relaygram_api, relaygram_gateway;
grant execute on function control.ring(bigint, text, jsonb) to relaygram_api, relaygram_dispatcher, relaygram_gateway;
grant execute on function control.emit(bigint, text, text, jsonb) to relaygram_api, relaygram_dispatcher, relaygram_gateway, relaygram_log_writer;
grant execute on function control.delete_campaign(bigint, bigint, text) to relaygram_api;
grant execute on function control.campaign_states(bigint[]) to relaygram_api, relaygram_dispatcher;
grant execute on function control.token_by_id(bigint), control.user_by_email(text), control.claim_import(double precision)
    to relaygram_api;
