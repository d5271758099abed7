-- What follows from what people write. The dispatcher calls these in the one transaction that decides a message.

-- When each person was last answered by an auto-reply campaign: without a cooldown, two bots would talk for ever.
create table dispatch.answers (
    campaign_id bigint not null,
    telegram_user_id bigint not null,
    workspace_id bigint not null,
    answered_at timestamptz not null,
    primary key (campaign_id, telegram_user_id)
);
create index answers_old on dispatch.answers (answered_at);
call control.protect('dispatch.answers');
grant select, insert, update, delete on dispatch.answers to relaygram_dispatcher;

-- That the reply was told to the world: once per campaign and person, when theirs was the newest message of the chat.
alter table dispatch.enrollments add column reply_told_at timestamptz;

-- Takes a message for decision: new | known (decided before) | no_account. Messages of one chat are decided one by one.
create function dispatch.begin_inbound(p_workspace bigint, p_account bigint, p_message bigint, p_user bigint) returns text
language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended(format('chat %s of account %s', p_user, p_account), 0));
    if not exists (select from control.telegram_accounts a where a.id = p_account and a.workspace_id = p_workspace) then
        return 'no_account';
    end if;
    insert into dispatch.inbound (account_id, message_id, workspace_id, from_id, decision)
    values (p_account, p_message, p_workspace, p_user, 'nothing')
    on conflict do nothing;
    return case when found then 'new' else 'known' end;
end
$$;

-- A person wrote. Who was written to by a campaign before gets none of its further steps and follow-ups; with
-- `p_opted_out`, of all campaigns of the workspace, otherwise of those of this account whose message is older than the
-- person's (that of an open send is not known yet: then by the clocks, which may differ a little). Due rows that count
-- as jobs already stay, so that each counted job gets its outcome: the gateway's admission drops these. So do first
-- messages and auto-replies, whose end the log shows. Tells the world, each campaign and person once.
create function dispatch.note_reply(p_workspace bigint, p_account bigint, p_user bigint, p_message bigint, p_date timestamptz,
                                    p_opted_out boolean) returns void
language plpgsql as $$
declare
    v_accounts constant bigint[] := case when p_opted_out
        then array(select a.id from control.telegram_accounts a where a.workspace_id = p_workspace) else array[p_account] end;
    v_campaigns bigint[];
    v_contacts bigint[];
    v_ended dispatch.enrollments[];
    v_newest_campaign bigint;
    v_newest_contact bigint;
begin
    -- The newest message first: the one that the person answers. Campaign 0, tests and the like, has no contacts.
    select array_agg(w.campaign_id order by w.nth), array_agg(w.contact_id order by w.nth)
      into v_campaigns, v_contacts
      from (select s.campaign_id, s.contact_id, min(s.row_number) as nth
              from (select o.campaign_id, o.contact_id,
                           row_number() over (order by (o.account_id = p_account) desc, o.telegram_message_id desc nulls last,
                                                       o.first_at desc)
                      from telegram.sends o
                     where o.account_id = any (v_accounts) and o.telegram_user_id = p_user
                       and o.state in ('accepted', 'sending')
                       and (p_opted_out or coalesce(o.telegram_message_id < p_message,
                                                    o.first_at < p_date + interval '1 minute'))) s
             group by s.campaign_id, s.contact_id) w;
    if v_campaigns is null then
        return;
    end if;
    if v_campaigns[1] <> 0 or p_opted_out then
        select w.campaign_id, w.contact_id into v_newest_campaign, v_newest_contact
          from unnest(v_campaigns, v_contacts) with ordinality as w (campaign_id, contact_id, nth)
         where w.campaign_id <> 0 order by w.nth limit 1;
    end if;

    -- Whoever advances a sequence locks its enrollment: what it inserted is seen by the statement after this one.
    with ended as (
        insert into dispatch.enrollments as e (campaign_id, contact_id, workspace_id, replied_at)
        select w.campaign_id, w.contact_id, p_workspace, now()
          from unnest(v_campaigns, v_contacts) as w (campaign_id, contact_id)
          join control.campaigns c on c.id = w.campaign_id
         where c.workspace_id = p_workspace and c.deleted_at is null and c.status in ('running', 'paused')
         order by w.campaign_id, w.contact_id
        on conflict (campaign_id, contact_id) do update set replied_at = excluded.replied_at where e.replied_at is null
        returning e
    )
    select array_agg(n.e) into v_ended from ended n;

    delete from dispatch.due d where d.job_id in (
        select o.job_id from unnest(v_campaigns, v_contacts) as w (campaign_id, contact_id)
          join dispatch.due o on o.campaign_id = w.campaign_id and o.contact_id = w.contact_id
         where not o.counted and o.trigger <> 'auto_reply'
         order by o.job_id for update of o);

    if p_opted_out then
        perform dispatch.tell_of_contact(p_workspace, w.campaign_id, w.contact_id, 'opted_out')
           from (select e.campaign_id, e.contact_id from unnest(v_ended) e
                 union select v_newest_campaign, v_newest_contact where v_newest_campaign is not null) w;
    elsif v_newest_campaign is not null then
        insert into dispatch.enrollments as e (campaign_id, contact_id, workspace_id, replied_at, reply_told_at)
        values (v_newest_campaign, v_newest_contact, p_workspace, now(), now())
        on conflict (campaign_id, contact_id) do update
           set reply_told_at = now(), replied_at = coalesce(e.replied_at, now()) where e.reply_told_at is null;
        if found then
            perform dispatch.tell_of_contact(p_workspace, v_newest_campaign, v_newest_contact, 'replied');
        end if;
    end if;
end
$$;

create function dispatch.tell_of_contact(p_workspace bigint, p_campaign bigint, p_contact bigint, p_kind text) returns void
language sql as $$
    select control.emit(p_workspace, 'com.relaygram.contact.' || p_kind || '.v1',
        format('contact.event.%s.%s.%s', p_workspace, p_kind, p_campaign),
        jsonb_build_object('campaign_id', p_campaign, 'sender_id', p_contact, 'kind', p_kind))
$$;

-- Who writes the keyword becomes a sender of the campaign: not one of its imported contacts, so neither its total nor
-- its generation changes. Known by id, else by the handle or phone that the account has met them by. Null when the
-- campaign answers nobody any more. An address that somebody else of the campaign has by now is left out.
create function control.ensure_sender(p_workspace bigint, p_campaign bigint, p_user bigint, p_handle text, p_first_name text)
returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
    v_account bigint;
    v_met_as telegram.peers;
    v_contact bigint;
begin
    select c.telegram_account_id into v_account from control.campaigns c
     where c.id = p_campaign and c.workspace_id = p_workspace and c.mode = 'auto_reply'
       and c.status in ('running', 'paused') and c.deleted_at is null;
    if not found then
        return null;
    end if;
    select * into v_met_as from telegram.peers q where q.account_id = v_account and q.telegram_user_id = p_user;
    for attempt in 1 .. 2 loop
        select p.id into v_contact from control.contacts p where p.campaign_id = p_campaign and p.telegram_user_id = p_user;
        if not found then
            select p.id into v_contact from control.contacts p
             where p.campaign_id = p_campaign and p.handle = coalesce(p_handle, v_met_as.handle) and p.telegram_user_id is null;
        end if;
        if v_contact is null then
            select p.id into v_contact from control.contacts p
             where p.campaign_id = p_campaign and p.phone_hash = v_met_as.phone_hash and p.telegram_user_id is null;
        end if;
        if v_contact is not null then
            return v_contact;
        end if;
        insert into control.contacts (workspace_id, campaign_id, telegram_user_id, handle, first_name)
        values (p_workspace, p_campaign, p_user,
                case when not exists (select from control.contacts p where p.campaign_id = p_campaign and p.handle = p_handle)
                     then p_handle end, p_first_name)
        on conflict do nothing
        returning id into v_contact;
        if found then
            return v_contact;
        end if;
    end loop;
    raise exception 'the addresses of a sender of campaign % change hands', p_campaign using errcode = 'serialization_failure';
end
$$;

-- Somebody wants no more messages: by Telegram id and handle, and by the phones that the workspace's accounts know
-- them by. Where the message did not say the handle, it is that by which they were met last: better one too many than
-- one who said STOP. False when they were on the list. (A phone stands on a line of its own in the call: that of an
-- erased person is passed over, and the rest must count all the same.)
create function control.suppress_sender(p_workspace bigint, p_user bigint, p_handle text, p_reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
declare
    v_phones constant bytea[] := array(
        select distinct q.phone_hash from control.telegram_accounts a join telegram.peers q on q.account_id = a.id
         where a.workspace_id = p_workspace and q.telegram_user_id = p_user and q.phone_hash is not null);
    v_lines constant int := 1 + cardinality(v_phones);
    v_handle constant text := coalesce(p_handle, (
        select q.handle from control.telegram_accounts a join telegram.peers q on q.account_id = a.id
         where a.workspace_id = p_workspace and q.telegram_user_id = p_user and q.handle is not null
         order by q.updated_at desc limit 1));
begin
    return control.suppress(
        p_workspace, array_fill(p_user, array[v_lines]),
        array_prepend(v_handle, array_fill(null::text, array[v_lines - 1])), array_prepend(null::bytea, v_phones),
        array_fill(null::bytea, array[v_lines]), array_fill(p_reason, array[v_lines]),
        array_fill(null::bytea, array[v_lines]), array_fill(null::bytea, array[v_lines])) > 0;
end
$$;

grant insert, select on control.single_sends to relaygram_dispatcher;
grant usage on sequence control.contacts_id_seq to relaygram_dispatcher;

revoke execute on function dispatch.begin_inbound, dispatch.note_reply, dispatch.tell_of_contact, control.ensure_sender,
    control.suppress_sender from public;
grant execute on function dispatch.begin_inbound, dispatch.note_reply, dispatch.tell_of_contact, control.ensure_sender,
    control.suppress_sender, control.relay_single to relaygram_dispatcher;
