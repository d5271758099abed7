-- A schema per owner, a role per service. Roles belong to the whole cluster, so they may exist already.
do $$
declare
    service text;
begin
    foreach service in array array['relaygram_api', 'relaygram_dispatcher', 'relaygram_gateway', 'relaygram_log_writer'] loop
        if not exists (select from pg_roles where rolname = service) then
            begin
                execute format('create role %I login', service);
            exception when duplicate_object or unique_violation then
                null;  -- another database of this cluster is being migrated at this moment
            end;
        end if;
        -- A hung process must not keep a lock: its transaction ends, and a dead peer is found within 10 s.
        execute format('alter role %I in database %I set transaction_timeout = ''5s''', service, current_database());
        execute format('alter role %I in database %I set idle_in_transaction_session_timeout = ''3s''', service, current_database());
        execute format('alter role %I in database %I set tcp_keepalives_idle = 5', service, current_database());
        execute format('alter role %I in database %I set tcp_keepalives_interval = 2', service, current_database());
        execute format('alter role %I in database %I set tcp_keepalives_count = 2', service, current_database());
        execute format('alter role %I in database %I set client_connection_check_interval = ''2s''', service, current_database());
        -- A batch of a few hundred rows is compiled more slowly than it runs.
        execute format('alter role %I in database %I set jit = off', service, current_database());
    end loop;
end
$$;

create schema control;
create schema dispatch;
create schema telegram;
create schema delivery;

grant usage on schema control to relaygram_api, relaygram_dispatcher, relaygram_gateway, relaygram_log_writer;
grant usage on schema dispatch to relaygram_dispatcher, relaygram_api;
grant usage on schema telegram to relaygram_gateway, relaygram_dispatcher, relaygram_api;
grant usage on schema delivery to relaygram_log_writer, relaygram_api, relaygram_dispatcher, relaygram_gateway;

-- Row-level security is the second lock beside the `workspace_id` in every query. A transaction says whom it works
-- for in `relaygram.workspace_id`; saying nothing means: no rows. Background work of the dispatcher, gateway and
-- log-writer, which serves all workspaces, says '*'; the api can not.
create function control.workspace() returns bigint language sql stable parallel safe as $$
    select case when current_setting('relaygram.workspace_id', true) ~ '^[0-9]+$'
           then current_setting('relaygram.workspace_id', true)::bigint end
$$;

create function control.every_workspace() returns boolean language sql stable parallel safe as $$
    select coalesce(current_setting('relaygram.workspace_id', true) = '*', false)
$$;

-- Puts both locks on a table: the api sees one workspace, the workers the one they name or, on '*', all.
create procedure control.protect(p_table regclass) language plpgsql as $$
begin
    execute format('alter table %s enable row level security', p_table);
    execute format('create policy one_workspace on %s to relaygram_api
        using (workspace_id = (select control.workspace()))', p_table);
    execute format('create policy workers on %s to relaygram_dispatcher, relaygram_gateway, relaygram_log_writer
        using ((select control.every_workspace()) or workspace_id = (select control.workspace()))', p_table);
end
$$;
