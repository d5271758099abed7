-- Live logs: tickets for browsers, which can not send a token when they open a stream.
create table control.stream_tickets (
    secret_hash bytea primary key,
    workspace_id bigint not null references control.workspaces,
    token_id bigint not null references control.api_tokens,
    campaign_id bigint not null references control.campaigns,
    expires_at timestamptz not null
);
create index stream_tickets_by_age on control.stream_tickets (expires_at);
call control.protect('control.stream_tickets');
grant insert, select on control.stream_tickets to relaygram_api;

-- Whose ticket is this? Asked before a workspace is known. It opens one stream: of two who come with it at the same time,
-- at whichever replica, one deletes the row and the other finds none.
create function control.redeem_stream_ticket(p_secret_hash bytea, p_campaign bigint) returns bigint
language sql security definer set search_path = pg_catalog as $$
    delete from control.stream_tickets t
     where t.secret_hash = p_secret_hash and t.campaign_id = p_campaign and t.expires_at > clock_timestamp()
    returning t.token_id
$$;

-- Which of these tokens are good no more: their streams, of any workspace, end.
create function control.ended_tokens(p_tokens bigint[]) returns bigint[]
language sql stable security definer set search_path = pg_catalog as $$
    select coalesce(array_agg(t.id), '{}') from control.api_tokens t join control.users u on u.id = t.user_id
     where t.id = any (p_tokens)
       and (t.revoked_at is not null or t.expires_at <= clock_timestamp() or u.disabled_at is not null)
$$;

-- Removes tickets that were never used, at most `p_batch`; how many they were.
create function control.prune_stream_tickets(p_batch int) returns bigint
language sql security definer set search_path = pg_catalog as $$
    with gone as (
        delete from control.stream_tickets where secret_hash in (
            select t.secret_hash from control.stream_tickets t where t.expires_at < clock_timestamp()
             order by t.expires_at limit p_batch for update skip locked)
        returning 1
    )
    select count(*) from gone
$$;

-- The next rows by revision, as an index gives them: the planner, which does not know how many there are of a campaign,
-- was seen to collect and sort all of its log for each page. At most so many rows, and none after those whose texts are so
-- many bytes together: how long a text is can be told without reading it.
create function delivery.changes_after(p_campaign bigint, p_after bigint, p_most int, p_bytes int)
returns setof delivery.log_rows
language sql stable set enable_bitmapscan = off set enable_seqscan = off set enable_sort = off as $$
    select (w.found).*
      from (select l as found,
                   sum(octet_length(l.body)) over (order by l.revision rows between unbounded preceding and 1 preceding) as before
              from (select * from delivery.log_rows where campaign_id = p_campaign and revision > p_after
                     order by revision limit p_most) l) w
     where coalesce(w.before, 0) < p_bytes
$$;
revoke execute on function delivery.changes_after from public;
grant execute on function delivery.changes_after to relaygram_api;

revoke execute on function control.redeem_stream_ticket, control.ended_tokens, control.prune_stream_tickets from public;
grant execute on function control.redeem_stream_ticket, control.ended_tokens, control.prune_stream_tickets to relaygram_api;
