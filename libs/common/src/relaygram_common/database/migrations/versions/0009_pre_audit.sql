-- Who changed what, and when: written by triggers, so that nobody can forget to. Rows are only ever added.
create table control.audit_log (
    id bigint generated always as identity primary key,
    workspace_id bigint not null references control.workspaces,
    happened_at timestamptz not null default clock_timestamp(),
    actor text not null,  -- user:7, dispatcher, gateway, log_writer, api (its background work), command_line
    token_id bigint,
    request_id text,
    action text not null check (action in ('created', 'changed', 'deleted')),
    kind text not null,
    thing_id bigint not null,
    before jsonb,
    after jsonb
);
create index audit_log_of_workspace on control.audit_log (workspace_id, id);
create index audit_log_of_thing on control.audit_log (workspace_id, kind, thing_id, id);
alter table control.audit_log enable row level security;
create policy one_workspace on control.audit_log for select to relaygram_api
    using (workspace_id = (select control.workspace()));
grant select on control.audit_log to relaygram_api;

create function control.keep_audit_log() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    raise exception 'the audit log is only ever added to';
end
$$;
create trigger only_added_to before update or delete or truncate on control.audit_log
    for each statement execute function control.keep_audit_log();

-- Of a secret only whether it is there is told. What is made of bytes (hashes, sealed values) is one without being
-- listed, as whatever is named like one, so that a new column can not leak by being forgotten.
create function control.audited_value(p_key text, p_value jsonb, p_secret text[]) returns jsonb
language sql immutable set search_path = pg_catalog as $$
    select case when p_value is not null and (p_key = any (p_secret) or p_key ~ '(hash|sealed|secret|password|proxy)')
                then '"(hidden)"'::jsonb else p_value end
$$;

-- Arguments: what the thing is called, the column of its id, secret columns, and columns whose change is no news.
create function control.audit() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
    v_secret constant text[] := tg_argv[2]::text[];
    v_noise constant text[] := tg_argv[3]::text[] || '{id,workspace_id,version,created_at,updated_at}';
    v_old constant jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    v_new constant jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    v_row constant jsonb := coalesce(v_new, v_old);
    v_before jsonb;
    v_after jsonb;
begin
    select jsonb_object_agg(key, control.audited_value(key, o.was, v_secret)),
           jsonb_object_agg(key, control.audited_value(key, n.is_now, v_secret))
      into v_before, v_after
      from (select e.key, nullif(e.value, 'null') as was from jsonb_each(coalesce(v_old, '{}')) e) o
      full join (select e.key, nullif(e.value, 'null') as is_now from jsonb_each(coalesce(v_new, '{}')) e) n using (key)
     where key <> all (v_noise) and o.was is distinct from n.is_now;
    if v_after is null then
        return null;
    end if;
    insert into control.audit_log (workspace_id, actor, token_id, request_id, action, kind, thing_id, before, after)
    values (coalesce(v_row ->> 'workspace_id', v_row ->> 'id')::bigint,
            coalesce(nullif(current_setting('relaygram.actor', true), ''),
                     case when session_user in ('relaygram_api', 'relaygram_dispatcher', 'relaygram_gateway', 'relaygram_log_writer')
                          then substr(session_user, 11) else 'command_line' end),
            nullif(current_setting('relaygram.token_id', true), '')::bigint,
            nullif(current_setting('relaygram.request_id', true), ''),
            case when tg_op = 'INSERT' then 'created'
                 when tg_op = 'DELETE' or v_after ->> 'deleted_at' is not null or v_after ->> 'revoked_at' is not null
                 then 'deleted' else 'changed' end,
            tg_argv[0], (v_row ->> tg_argv[1])::bigint,
            case when tg_op <> 'INSERT' then v_before end, case when tg_op <> 'DELETE' then v_after end);
    return null;
end
$$;

-- Puts a table under audit; `p_on`: insert, update, delete, as a trigger is written.
create procedure control.audit_changes(
    p_table regclass, p_kind text, p_on text default 'insert or update or delete', p_id text default 'id',
    p_secret text[] default '{}', p_noise text[] default '{}', p_when text default 'true')
language plpgsql as $$
begin
    execute format('create trigger %I after %s on %s for each row when (%s) execute function control.audit(%L, %L, %L, %L)',
        'audit_' || p_kind || '_' || replace(p_on, ' ', '_'), p_on, p_table, p_when, p_kind, p_id, p_secret, p_noise);
end
$$;

call control.audit_changes('control.workspaces', 'workspace');
call control.audit_changes('control.users', 'user');
call control.audit_changes('control.api_tokens', 'token', p_noise => '{last_used_at}');
call control.audit_changes('control.telegram_accounts', 'telegram_account');
-- A step of a log-in: what was entered is hidden; that a gateway deletes it after use is no news.
call control.audit_changes('control.login_secrets', 'login_secret', 'insert or update', p_id => 'account_id');
call control.audit_changes('control.campaigns', 'campaign',
    p_noise => '{total_contacts,contacts_generation,contact_columns,asks_for,next_send_at,waiting_for}');
-- People come by imports, which are told as a whole. Nothing personal rests here: erasing a person need not look here.
call control.audit_changes('control.contacts', 'contact', 'update or delete',
    p_secret => '{telegram_user_id,handle,first_name,last_name,tags,time_zone,columns}');
call control.audit_changes('control.imports', 'import', 'insert', p_noise => '{lease_until}');
call control.audit_changes('control.imports', 'import', 'update', p_noise => '{lease_until,uploaded_at}',
    p_when => 'new.finished_at is not null and old.finished_at is null');
call control.audit_changes('control.suppressions', 'suppression', p_secret => '{telegram_user_id,handle,reason}');

revoke execute on function control.keep_audit_log, control.audited_value, control.audit from public;
