-- Who read and who replied.

-- What people did with the messages of a chat: `read` everything up to a message, `reply` by a message of their own. All
-- are kept, since the log may lag: each must find its messages also when they come later, whatever came in between.
create table delivery.receipts (
    account_id bigint not null,
    chat_id bigint not null,            -- the person's Telegram id
    kind text not null check (kind in ('read', 'reply')),
    message_id bigint not null,
    workspace_id bigint not null,
    occurred_at timestamptz not null,
    primary key (account_id, chat_id, kind, message_id)
);
create index receipts_of_account on delivery.receipts (account_id, message_id);
create index receipts_by_age on delivery.receipts (occurred_at);
call control.protect('delivery.receipts');
grant select, insert, update, delete on delivery.receipts to relaygram_log_writer;

-- The newest accepted message of a chat before a person's message. One whose id is not known has its place by time.
create function delivery.replied_message(p_workspace bigint, p_account bigint, p_chat bigint, p_message_id bigint,
                                         p_at timestamptz)
returns table (campaign_id bigint, job_id uuid)
language sql stable as $$
    select n.campaign_id, n.job_id
      from ((select m.campaign_id, m.job_id, m.sent_at, true as has_id from delivery.messages m
              where m.account_id = p_account and m.recipient_id = p_chat and m.telegram_message_id < p_message_id
                and m.rank >= 4 and m.channel = 'telegram' and m.workspace_id = p_workspace
              order by m.telegram_message_id desc limit 1)
            union all
            (select m.campaign_id, m.job_id, m.sent_at, false from delivery.messages m
              where m.account_id = p_account and m.recipient_id = p_chat and m.telegram_message_id is null
                and m.sent_at <= p_at and m.rank >= 4 and m.channel = 'telegram' and m.workspace_id = p_workspace
              order by m.sent_at desc, m.job_id limit 1)) n
     order by n.sent_at desc nulls last, n.has_id desc limit 1
$$;

-- The highest message that these accounts have a receipt for. Ids of messages grow, so that what was just sent is mostly
-- above it, and nothing more need be asked.
create function delivery.newest_receipts(p_account_id bigint[]) returns table (account_id bigint, message_id bigint)
language sql stable set enable_seqscan = off as $$
    select i.account_id, (select max(r.message_id) from delivery.receipts r where r.account_id = i.account_id)
      from unnest(p_account_id) as i (account_id)
$$;

-- Which of these accepted messages, just written, have receipts that came before them.
create function delivery.with_receipts(p_campaign_id bigint[], p_job_id uuid[], p_account_id bigint[], p_chat_id bigint[],
                                       p_message_id bigint[])
returns table (campaign_id bigint, job_id uuid)
language sql stable set enable_seqscan = off as $$
    -- Probes, by way of scalar subqueries: an `exists` could be planned as a hash of all receipts.
    select i.campaign_id, i.job_id
      from unnest(p_campaign_id, p_job_id, p_account_id, p_chat_id, p_message_id)
           as i (campaign_id, job_id, account_id, chat_id, message_id)
     where (select r.message_id from delivery.receipts r
             where r.account_id = i.account_id and r.chat_id = i.chat_id and r.kind = 'read'
               and r.message_id >= coalesce(i.message_id, 0) limit 1) is not null
        or (select r.message_id from delivery.receipts r
             where r.account_id = i.account_id and r.chat_id = i.chat_id and r.kind = 'reply'
               and r.message_id > coalesce(i.message_id, 0) limit 1) is not null
$$;

-- When the person replied last, to a message that may have been replied to before. Log rows do not show it: no revision.
create function delivery.note_last_replies(
    p_workspace_id bigint[], p_account_id bigint[], p_chat_id bigint[], p_kind text[], p_message_id bigint[],
    p_occurred_at timestamptz[], p_campaign_id bigint[], p_job_id uuid[])
returns void
language sql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    with replies as (
        select m.campaign_id, m.job_id, i.occurred_at
          from unnest(p_workspace_id, p_account_id, p_chat_id, p_kind, p_message_id, p_occurred_at)
               as i (workspace_id, account_id, chat_id, kind, message_id, occurred_at)
         cross join lateral delivery.replied_message(i.workspace_id, i.account_id, i.chat_id, i.message_id, i.occurred_at) m
         where i.kind = 'reply'
        union all
        select l.campaign_id, l.job_id, r.occurred_at
          from unnest(p_campaign_id, p_job_id) as i (campaign_id, job_id)
         cross join lateral (select l.* from delivery.messages l
                              where l.campaign_id = i.campaign_id and l.job_id = i.job_id and l.recipient_id is not null
                                and l.rank >= 4 and l.channel = 'telegram' offset 0) l
         cross join lateral (
              select min(n.telegram_message_id) as message_id from delivery.messages n
               where n.account_id = l.account_id and n.recipient_id = l.recipient_id
                 and n.telegram_message_id > l.telegram_message_id and n.rank >= 4 and n.channel = 'telegram') n
         cross join lateral (
              (select r.message_id, r.occurred_at from delivery.receipts r
                where r.account_id = l.account_id and r.chat_id = l.recipient_id and r.kind = 'reply'
                  and r.message_id > l.telegram_message_id and r.message_id < coalesce(n.message_id, 9223372036854775807)
                order by r.message_id desc limit 100)
              union all
              (select r.message_id, r.occurred_at from delivery.receipts r
                where l.telegram_message_id is null and r.account_id = l.account_id and r.chat_id = l.recipient_id
                  and r.kind = 'reply' and r.occurred_at >= l.sent_at
                order by r.message_id desc limit 100)) r
         cross join lateral delivery.replied_message(l.workspace_id, l.account_id, l.recipient_id, r.message_id, r.occurred_at) m
         where m.campaign_id = l.campaign_id and m.job_id = l.job_id
    )
    update delivery.messages m set last_reply_at = k.occurred_at
      from (select r.campaign_id, r.job_id, max(r.occurred_at) as occurred_at from replies r group by 1, 2) k
     where m.campaign_id = k.campaign_id and m.job_id = k.job_id
       and (m.last_reply_at is null or m.last_reply_at < k.occurred_at)
$$;

-- Applies receipts to the messages that are there, and to late messages (`p_campaign_id`, `p_job_id`) the receipts that
-- are: rows, feeds and counters. A read marks every accepted message up to its id, a reply only the newest before it;
-- those without an id have their place by time. Returns the messages that changed, at most `p_limit`: if as many, call
-- again. `is_read`, `is_replied`: for the first time. What changes nothing takes no revision.
create function delivery.apply_receipts(
    p_workspace_id bigint[], p_account_id bigint[], p_chat_id bigint[], p_kind text[], p_message_id bigint[],
    p_occurred_at timestamptz[], p_campaign_id bigint[], p_job_id uuid[], p_limit int)
returns table (is_read boolean, is_replied boolean, message delivery.messages)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    v_last delivery.sequence;
begin
    -- As write_messages(): first the lock, then statements whose snapshot is younger than it.
    perform pg_advisory_xact_lock(7205759403);
    select * into v_last from delivery.sequence;
    -- A plan made while there are few rows or receipts and kept reads a whole campaign, or all receipts of
    -- an account, for each of them later. Planning takes 4 ms.
    perform set_config('plan_cache_mode',
        case when least(pg_relation_size('delivery.messages') / 4, pg_relation_size('delivery.receipts')) < 16 * 1024 * 1024
             then 'force_custom_plan' else 'auto' end, true);

    -- Events live for 14 days; no message comes later that an older receipt would apply to.
    delete from delivery.receipts r
     using (select o.* from delivery.receipts o where o.occurred_at < now() - interval '30 days'
             order by o.occurred_at limit 2 * cardinality(p_kind)) o
     where (r.account_id, r.chat_id, r.kind, r.message_id) = (o.account_id, o.chat_id, o.kind, o.message_id);

    insert into delivery.receipts as r (account_id, chat_id, kind, message_id, workspace_id, occurred_at)
    select i.account_id, i.chat_id, i.kind, i.message_id, max(i.workspace_id), min(i.occurred_at)
      from unnest(p_workspace_id, p_account_id, p_chat_id, p_kind, p_message_id, p_occurred_at)
           as i (workspace_id, account_id, chat_id, kind, message_id, occurred_at)
     group by i.account_id, i.chat_id, i.kind, i.message_id
    on conflict (account_id, chat_id, kind, message_id) do update set occurred_at = excluded.occurred_at
     where excluded.occurred_at < r.occurred_at;

    if 'reply' = any (p_kind) or cardinality(p_job_id) > 0 then
        perform delivery.note_last_replies(p_workspace_id, p_account_id, p_chat_id, p_kind, p_message_id, p_occurred_at,
                                           p_campaign_id, p_job_id);
    end if;

    return query
    with input as materialized (
        select distinct * from unnest(p_workspace_id, p_account_id, p_chat_id, p_kind, p_message_id, p_occurred_at)
               as i (workspace_id, account_id, chat_id, kind, message_id, occurred_at)
    ),
    late as materialized (
        select m.* from unnest(p_campaign_id, p_job_id) as i (campaign_id, job_id)
         cross join lateral (select m.campaign_id, m.job_id, m.workspace_id, m.account_id, m.recipient_id, m.telegram_message_id, m.sent_at
                               from delivery.messages m
                              where m.campaign_id = i.campaign_id and m.job_id = i.job_id and m.recipient_id is not null
                                and m.rank >= 4 and m.channel = 'telegram' offset 0) m
    ),
    marks as (
        -- Messages up to the one before it have been marked by the read receipt before this one, or will be.
        select m.campaign_id, m.job_id, i.occurred_at as read_at, null::timestamptz as replied_at
          from input i
         cross join lateral (
              select coalesce(max(r.message_id), 0) as message_id from delivery.receipts r
               where r.account_id = i.account_id and r.chat_id = i.chat_id and r.kind = 'read' and r.message_id < i.message_id) b
         cross join lateral (
              select m.campaign_id, m.job_id from delivery.messages m
               where m.account_id = i.account_id and m.recipient_id = i.chat_id
                 and m.telegram_message_id > b.message_id and m.telegram_message_id <= i.message_id
                 and m.rank >= 4 and m.channel = 'telegram' and m.workspace_id = i.workspace_id
                 and (m.read_at is null or m.read_at > i.occurred_at) limit p_limit) m
         where i.kind = 'read'
        union all
        select m.campaign_id, m.job_id, i.occurred_at, null
          from input i
         cross join lateral (
              select m.campaign_id, m.job_id from delivery.messages m
               where m.account_id = i.account_id and m.recipient_id = i.chat_id and m.telegram_message_id is null
                 and m.sent_at <= i.occurred_at and m.rank >= 4 and m.channel = 'telegram' and m.workspace_id = i.workspace_id
                 and (m.read_at is null or m.read_at > i.occurred_at) limit p_limit) m
         where i.kind = 'read'
        union all
        select m.campaign_id, m.job_id, null, i.occurred_at
          from input i
         cross join lateral delivery.replied_message(i.workspace_id, i.account_id, i.chat_id, i.message_id, i.occurred_at) m
         where i.kind = 'reply'
        union all
        -- Of the receipts after a late message the first one says when.
        select l.campaign_id, l.job_id, r.occurred_at, null
          from late l
         cross join lateral (
              (select r.occurred_at from delivery.receipts r
                where r.account_id = l.account_id and r.chat_id = l.recipient_id and r.kind = 'read'
                  and r.message_id >= l.telegram_message_id and r.workspace_id = l.workspace_id
                order by r.message_id limit 1)
              union all
              (select r.occurred_at from delivery.receipts r
                where l.telegram_message_id is null and r.account_id = l.account_id and r.chat_id = l.recipient_id
                  and r.kind = 'read' and r.occurred_at >= l.sent_at and r.workspace_id = l.workspace_id
                order by r.message_id limit 1)) r
        union all
        select l.campaign_id, l.job_id, null, r.occurred_at
          from late l
         cross join lateral (
              (select r.message_id, r.occurred_at from delivery.receipts r
                where r.account_id = l.account_id and r.chat_id = l.recipient_id and r.kind = 'reply'
                  and r.message_id > l.telegram_message_id and r.workspace_id = l.workspace_id
                order by r.message_id limit 1)
              union all
              (select r.message_id, r.occurred_at from delivery.receipts r
                where l.telegram_message_id is null and r.account_id = l.account_id and r.chat_id = l.recipient_id
                  and r.kind = 'reply' and r.occurred_at >= l.sent_at and r.workspace_id = l.workspace_id
                order by r.message_id limit 1)) r
         cross join lateral delivery.replied_message(l.workspace_id, l.account_id, l.recipient_id, r.message_id, r.occurred_at) m
         where m.campaign_id = l.campaign_id and m.job_id = l.job_id
    ),
    changed as materialized (
        select m.campaign_id, m.job_id, least(m.read_at, k.read_at) as read_at, least(m.replied_at, k.replied_at) as replied_at,
               m.read_at is null and k.read_at is not null as is_read,
               m.replied_at is null and k.replied_at is not null as is_replied,
               row_number() over (order by m.id) as nth
          from (select k.campaign_id, k.job_id, min(k.read_at) as read_at, min(k.replied_at) as replied_at
                  from marks k group by k.campaign_id, k.job_id) k
         cross join lateral (select m.id, m.campaign_id, m.job_id, m.read_at, m.replied_at from delivery.messages m
                              where m.campaign_id = k.campaign_id and m.job_id = k.job_id offset 0) m
         where (least(m.read_at, k.read_at), least(m.replied_at, k.replied_at)) is distinct from (m.read_at, m.replied_at)
         order by m.id limit p_limit
    ),
    updated as (
        update delivery.messages m
           set read_at = g.read_at, replied_at = g.replied_at,
               rank = case when g.replied_at is not null then 7 else greatest(m.rank, 6) end,
               state = case when g.replied_at is not null or m.rank = 7 then 'replied' else 'read' end,
               revision = v_last.last_revision + g.nth
          from changed g where m.campaign_id = g.campaign_id and m.job_id = g.job_id
        returning g.is_read, g.is_replied, old.rank as old_rank, new.rank as new_rank, m as message
    ),
    counted as (
        update delivery.campaign_counters c
           set read = c.read + t.read, replied = c.replied + t.replied, last_revision = t.last_revision
          from (select (u.message).campaign_id, max((u.message).revision) as last_revision,
                       count(*) filter (where u.old_rank < 6) as read,
                       count(*) filter (where u.old_rank < 7 and u.new_rank = 7) as replied
                  from updated u group by 1) t
         where c.campaign_id = t.campaign_id
    ),
    advanced as (
        update delivery.sequence s set last_revision = s.last_revision + (select count(*) from updated)
         where exists (select from updated)
    )
    select u.is_read, u.is_replied, u.message from updated u;
end
$$;

-- Delivery events that follow from receipts, for the relay.
create function delivery.tell(p_workspace_id bigint[], p_subject text[], p_body jsonb[], p_headers jsonb[]) returns void
language sql security definer set search_path = pg_catalog as $$
    insert into control.outbox (workspace_id, kind, subject, body, headers)
    select t.workspace_id, 'stream', t.subject, t.body, t.headers
      from unnest(p_workspace_id, p_subject, p_body, p_headers) as t (workspace_id, subject, body, headers)
     where t.subject like 'delivery.event.%'
$$;

revoke execute on function delivery.replied_message, delivery.newest_receipts, delivery.with_receipts,
    delivery.note_last_replies, delivery.apply_receipts, delivery.tell from public;
grant execute on function delivery.replied_message, delivery.newest_receipts, delivery.with_receipts,
    delivery.note_last_replies, delivery.apply_receipts, delivery.tell to relaygram_log_writer;
