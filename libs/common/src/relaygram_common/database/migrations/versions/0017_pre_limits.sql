-- People whom Telegram's answers put on the suppression list, and who come off it by writing.

-- Telegram refused a message for good. Who blocked one account of a workspace hears from no other one: whoever went on
-- from another account would do what Telegram ends accounts for. Who is deactivated is known by id only from now on:
-- the handle and the phone may be somebody else's tomorrow.
create function control.suppress_refused(p_workspace bigint, p_user bigint, p_handle text, p_code text) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    if p_code = 'USER_BLOCKED' then
        perform control.suppress_sender(p_workspace, p_user, p_handle, 'has blocked one of your accounts');
    elsif p_code = 'USER_DEACTIVATED' then
        perform control.suppress(p_workspace, array[p_user], array[null]::text[], array[null]::bytea[],
            array[null]::bytea[], array['the Telegram account no longer exists'], array[null]::bytea[], array[null]::bytea[]);
    end if;
end
$$;

-- Who blocked an account and writes to it has let it in again, also by the phones on lines of their own; what the message
-- says is judged after this.
create function dispatch.let_in_again() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare
    v_reason constant text := 'has blocked one of your accounts';
begin
    delete from control.suppressions x
     where x.workspace_id = new.workspace_id and x.telegram_user_id = new.from_id and x.reason = v_reason;
    if found then
        delete from control.suppressions x
         where x.workspace_id = new.workspace_id and x.telegram_user_id is null and x.reason = v_reason
           and x.phone_hash in (select q.phone_hash from control.telegram_accounts a join telegram.peers q on q.account_id = a.id
                                 where a.workspace_id = new.workspace_id and q.telegram_user_id = new.from_id);
    end if;
    return null;
end
$$;
create trigger let_in_again after insert on dispatch.inbound
    for each row execute function dispatch.let_in_again();

-- Whose session this is, without opening it: one that an account uses must not be connected a second time, since Telegram
-- ends a session that is used in two places.
alter table telegram.sessions add column key_fingerprint bytea;
create index sessions_by_key on telegram.sessions (key_fingerprint) where key_fingerprint is not null;

revoke execute on function control.suppress_refused, dispatch.let_in_again from public;
grant execute on function control.suppress_refused to relaygram_gateway;
