-- Suppressing, removing and erasing people, and the hash that stays.

-- Who must not be written to. Phones rest sealed beside their hash, so that people see whose line it is by its last
-- digits. `person_hash`: of an erased person nothing else is kept, one line an address.
alter table control.suppressions
    add column phone_sealed bytea,
    add column person_hash bytea,
    drop constraint suppressions_check,
    add constraint suppressions_name_somebody check (
        case when person_hash is null then telegram_user_id is not null or handle is not null or phone_hash is not null
             else telegram_user_id is null and handle is null and phone_hash is null end),
    add constraint suppressions_phone check (phone_sealed is null or phone_hash is not null);
create unique index suppressions_by_person on control.suppressions (workspace_id, person_hash) where person_hash is not null;
create index suppressions_of_workspace on control.suppressions (workspace_id, id);

-- Puts people on the list, in the order given; how many are new. Who is there by any address is completed rather than
-- doubled, so that all that is known of a person is suppressed; an erased person is there already and takes no address
-- any more. (Planned for an empty list and kept by the session, its probes would read a long list from end to end: hence
-- the setting.)
create function control.suppress(
    p_workspace bigint, p_users bigint[], p_handles text[], p_phone_hashes bytea[], p_phones_sealed bytea[],
    p_reasons text[], p_user_hashes bytea[], p_handle_hashes bytea[])
returns bigint
language plpgsql set search_path = pg_catalog set enable_seqscan = off as $$
declare
    i int;
    v_user bigint;
    v_handle text;
    v_phone bytea;
    v_known boolean;
    v_id bigint;
    v_added bigint := 0;
begin
    perform pg_advisory_xact_lock(hashtextextended('people of workspace ' || p_workspace, 0));
    for i in 1 .. cardinality(p_users) loop
        if exists (select from control.suppressions x where x.workspace_id = p_workspace
                      and x.person_hash in (p_user_hashes[i], p_handle_hashes[i], p_phone_hashes[i])) then
            continue;
        end if;
        -- What of this person is not on the list yet.
        v_user := case when not exists (select from control.suppressions x where x.workspace_id = p_workspace
                                           and x.telegram_user_id = p_users[i]) then p_users[i] end;
        v_handle := case when not exists (select from control.suppressions x where x.workspace_id = p_workspace
                                             and x.handle = p_handles[i]) then p_handles[i] end;
        v_phone := case when not exists (select from control.suppressions x where x.workspace_id = p_workspace
                                            and x.phone_hash = p_phone_hashes[i]) then p_phone_hashes[i] end;
        v_known := (v_user, v_handle, v_phone) is distinct from (p_users[i], p_handles[i], p_phone_hashes[i]);
        if (v_user, v_handle, v_phone) is distinct from (null::bigint, null::text, null::bytea) then
            v_id := null;
            if v_known then
                -- A probe for each address: with an `or` the planner might read the whole list in order.
                select min(x.id) into v_id
                  from (select s.* from control.suppressions s where s.workspace_id = p_workspace and s.telegram_user_id = p_users[i]
                        union all
                        select s.* from control.suppressions s where s.workspace_id = p_workspace and s.handle = p_handles[i]
                        union all
                        select s.* from control.suppressions s where s.workspace_id = p_workspace and s.phone_hash = p_phone_hashes[i]) x
                 where (v_user is null or x.telegram_user_id is null) and (v_handle is null or x.handle is null)
                   and (v_phone is null or x.phone_hash is null);
            end if;
            if v_id is not null then
                update control.suppressions x
                   set telegram_user_id = coalesce(v_user, x.telegram_user_id), handle = coalesce(v_handle, x.handle),
                       phone_sealed = case when v_phone is null then x.phone_sealed else p_phones_sealed[i] end,
                       phone_hash = coalesce(v_phone, x.phone_hash)
                 where x.id = v_id;
            else
                insert into control.suppressions (workspace_id, telegram_user_id, handle, phone_hash, phone_sealed, reason)
                values (p_workspace, v_user, v_handle, v_phone, case when v_phone is not null then p_phones_sealed[i] end,
                        p_reasons[i]);
            end if;
        end if;
        v_added := v_added + (not v_known)::int;
    end loop;
    return v_added;
end
$$;

-- Up to which contact a campaign's people have jobs, or may have them in a moment; no further page begins until the
-- transaction ends.
create function dispatch.hold_run(p_campaign bigint) returns bigint
language sql security definer set search_path = pg_catalog as $$
    select greatest(r.cursor_contact_id, r.page_until) from dispatch.runs r
     where r.campaign_id = p_campaign and r.workspace_id = control.workspace() for share
$$;

-- Takes a contact out; false when there is none. What is queued for it ends as `discarded`, by the gateway's admission,
-- and counts; so it stays in the campaign's total unless no message to it was ever made.
create function control.remove_contact(p_campaign bigint, p_contact bigint, p_person_hashes bytea[], p_erased boolean)
returns boolean
language plpgsql set search_path = pg_catalog as $$
declare
    v_workspace bigint;
    v_has_job boolean;
begin
    -- A campaign is locked before its run, here and by the dispatcher.
    perform from control.campaigns c where c.id = p_campaign for no key update;
    v_has_job := coalesce(dispatch.hold_run(p_campaign) >= p_contact, false)
        or exists (select from delivery.messages m where m.campaign_id = p_campaign and m.sender_id = p_contact);
    delete from control.contacts p where p.id = p_contact and p.campaign_id = p_campaign
    returning p.workspace_id into v_workspace;
    if not found then
        return false;
    end if;
    insert into control.former_contacts (campaign_id, contact_id, workspace_id, person_hashes, has_job, erased_at)
    values (p_campaign, p_contact, v_workspace, p_person_hashes, v_has_job, case when p_erased then now() end);
    if not v_has_job then
        update control.campaigns c set total_contacts = c.total_contacts - 1, version = c.version + 1, updated_at = now()
         where c.id = p_campaign;
    end if;
    return true;
end
$$;

-- Notes that these people, who were read before, now get their event and their job. Who was taken out before this gets
-- none and is returned; who is taken out after it is counted as having them. Null: the run is not ours.
create function dispatch.begin_page(p_campaign bigint, p_epoch bigint, p_from bigint, p_people bigint[]) returns bigint[]
language plpgsql as $$
begin
    update dispatch.runs r set page_until = greatest(r.page_until, p_people[cardinality(p_people)])
     where r.campaign_id = p_campaign and r.epoch = p_epoch and r.cursor_contact_id = p_from and r.finished_at is null;
    if not found then
        return null;
    end if;
    return array(select f.contact_id from control.former_contacts f
                  where f.campaign_id = p_campaign and f.contact_id = any (p_people) and not f.has_job);
end
$$;

-- An erasure under way, so that one that was broken off can be finished, whatever of the person is gone by then: its
-- addresses, sealed. The row leaves with the last of them.
create table control.erasures (
    id bigint generated always as identity primary key,
    workspace_id bigint not null references control.workspaces,
    person_hashes bytea[] not null,
    addresses_sealed bytea not null,
    created_at timestamptz not null default now()
);
create index erasures_of_workspace on control.erasures (workspace_id);
call control.protect('control.erasures');
call control.audit_changes('control.erasures', 'erasure', 'insert');
grant select, insert, delete on control.erasures to relaygram_api;

-- Other addresses of the same people, as accounts have met them.
create function telegram.known_people(p_users bigint[], p_handles text[], p_phone_hashes bytea[])
returns table (telegram_user_id bigint, handle text, phone_hash bytea)
language sql stable security definer set search_path = pg_catalog as $$
    select q.telegram_user_id, q.handle, q.phone_hash
      from control.telegram_accounts a join telegram.peers q on q.account_id = a.id
     where a.workspace_id = control.workspace()
       and (q.telegram_user_id = any (p_users) or q.handle = any (p_handles) or q.phone_hash = any (p_phone_hashes))
$$;

create function telegram.erase_people(p_users bigint[], p_handles text[], p_phone_hashes bytea[]) returns bigint
language sql security definer set search_path = pg_catalog as $$
    with erased as (
        delete from telegram.peers q using control.telegram_accounts a
         where a.workspace_id = control.workspace() and q.account_id = a.id
           and (q.telegram_user_id = any (p_users) or q.handle = any (p_handles) or q.phone_hash = any (p_phone_hashes))
        returning 1
    )
    select count(*) from erased
$$;

-- Admissions of these campaigns' accounts wait until the transaction ends, so that none is half done when the ledger is
-- looked through.
create function telegram.hold_admissions(p_campaigns bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform from telegram.fences f
      where f.account_id in (select c.telegram_account_id from control.campaigns c
                              where c.id = any (p_campaigns) and c.workspace_id = control.workspace())
      order by f.account_id for no key update;
end
$$;

-- The ledger's texts and chats. What is still on the wire keeps them until its outcome is known: see record().
create function telegram.erase_sends(p_jobs uuid[]) returns bigint
language sql security definer set search_path = pg_catalog as $$
    with erased as (
        update telegram.sends s
           set body = case when s.state = 'sending' then s.body end,
               telegram_user_id = case when s.state = 'sending' then s.telegram_user_id end,
               erased_at = clock_timestamp()
         where s.job_id = any (p_jobs) and s.workspace_id = control.workspace() and s.erased_at is null
        returning 1
    )
    select count(*) from erased
$$;

-- The log's texts and addresses: of these contacts of these campaigns, pair by pair (campaign 0: test sends), and of what
-- was sent outside of campaigns to these destinations, and on other channels (below 0) to these phones: a name there may be
-- anybody's. Rows stay, and take a new revision, so that feeds show the change.
-- Who is erased has no receipts any more. Returns their jobs. (A few rows of a large table, whose statistics may be those of an
-- empty one: probes only, and planned each time, as a plan made for an empty table and kept would read all of a campaign.)
create index messages_outside_campaigns on delivery.messages (workspace_id, destination) where campaign_id <= 0;
create function delivery.erase_messages(
    p_campaigns bigint[], p_contacts bigint[], p_destinations text[], p_phones text[] default '{}')
returns setof uuid
language plpgsql security definer set search_path = pg_catalog
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_custom_plan as $$
declare
    v_last delivery.sequence;
begin
    -- As write_messages(): first the lock, then statements whose snapshot is younger than it.
    perform pg_advisory_xact_lock(7205759403);
    select * into v_last from delivery.sequence;
    return query
    with found as (
        select m.campaign_id, m.job_id, m.id
          from unnest(p_campaigns, p_contacts) as i (campaign_id, contact_id)
         cross join lateral (
              select m.* from delivery.messages m
               where m.campaign_id = i.campaign_id and m.sender_id = i.contact_id and m.erased_at is null offset 0) m
         where m.workspace_id = control.workspace()
        union
        select m.campaign_id, m.job_id, m.id from delivery.messages m
         where m.campaign_id = 0 and m.workspace_id = control.workspace() and m.destination = any (p_destinations)
           and m.erased_at is null
        union
        select m.campaign_id, m.job_id, m.id from delivery.messages m
         where m.campaign_id <= 0 and m.campaign_id = -control.workspace() and m.workspace_id = control.workspace()
           and m.destination = any (p_phones) and m.erased_at is null
    ), numbered as (
        select f.campaign_id, f.job_id, row_number() over (order by f.id) as nth from found f
    ), erased as (
        update delivery.messages m
           set body = null, destination = null, recipient_id = null, erased_at = clock_timestamp(), revision = v_last.last_revision + n.nth
          from numbered n where m.campaign_id = n.campaign_id and m.job_id = n.job_id
        returning m.campaign_id, m.job_id, m.revision, old.account_id, old.recipient_id
    ), receipts_erased as (
        delete from delivery.receipts r using erased e where r.account_id = e.account_id and r.chat_id = e.recipient_id
    ), counted as (
        update delivery.campaign_counters k set last_revision = e.revision
          from (select e.campaign_id, max(e.revision) as revision from erased e group by e.campaign_id) e
         where k.campaign_id = e.campaign_id
    ), advanced as (
        update delivery.sequence s set last_revision = s.last_revision + (select count(*) from erased)
         where exists (select from erased)
    )
    select e.job_id from erased e;
end
$$;

-- People who replied, of whom there are few among many.
create index messages_replied on delivery.messages (campaign_id, sender_id) where replied_at is not null;

revoke execute on function control.suppress, control.remove_contact, dispatch.hold_run, dispatch.begin_page,
    telegram.known_people, telegram.erase_people,
    telegram.hold_admissions, telegram.erase_sends, delivery.erase_messages from public;
grant execute on function dispatch.begin_page to relaygram_dispatcher;
grant execute on function control.suppress, control.remove_contact, dispatch.hold_run, telegram.known_people, telegram.erase_people,
    telegram.hold_admissions, telegram.erase_sends, delivery.erase_messages to relaygram_api;
