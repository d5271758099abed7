-- The log of all channels: reading by channel and time, and delivery events of other gateways.

-- Delivery events of other gateways that came over HTTP, so that each is passed on once however often it is sent; for as
-- long as the stream keeps them. Written in the transaction that puts them into the outbox.
create table control.taken_events (
    workspace_id bigint not null,
    event_id uuid not null,
    taken_at timestamptz not null default now(),
    primary key (workspace_id, event_id)
);
create index taken_events_by_age on control.taken_events (taken_at);
call control.protect('control.taken_events');
grant select, insert on control.taken_events to relaygram_api;

-- Forgets what was taken more than 14 days ago, at most `p_batch` rows; how many they were. For all workspaces at once.
create function control.prune_taken_events(p_batch int) returns bigint
language sql security definer set search_path = pg_catalog as $$
    with gone as (
        delete from control.taken_events where (workspace_id, event_id) in (
            select t.workspace_id, t.event_id from control.taken_events t where t.taken_at < now() - interval '14 days'
             order by t.taken_at limit p_batch for update skip locked)
        returning 1
    )
    select count(*) from gone
$$;
revoke execute on function control.prune_taken_events from public;
grant execute on function control.prune_taken_events to relaygram_api;

-- The log of a channel, newest first, and what of it failed: few rows, which a filter by status would look for in all.
create index messages_of_channel on delivery.messages (workspace_id, channel, queued_at desc, job_id);
create index messages_of_channel_failed on delivery.messages (workspace_id, channel, queued_at desc, job_id) where rank in (2, 3);

-- What a message with these attachments is, as its delivery events say; null: its file is gone.
create function control.content_type(p_attachments bigint[]) returns text language sql stable as $$
    select case when p_attachments = '{}' then 'text'
                else (select case m.kind when 'photo' then 'image' else m.kind end
                        from control.media m where m.id = p_attachments[1]) end
$$;
revoke execute on function control.content_type from public;
grant execute on function control.content_type to relaygram_api, relaygram_dispatcher, relaygram_gateway;
