-- name: channel_log
-- Newest first: of the next $8 rows of a channel those that fit, and the last that was looked at, so that the caller can
-- go on behind it: however rare they are, no statement looks at more. Put together of the pieces below
-- (adapters/pg_channel_logs.py); `ended`: only messages that failed, which are few and have an index of their own.
select * from (
    select *, {fits} as fits
      from (
        select {columns}, row_number() over (order by queued_at desc, job_id) as nth
          from delivery.messages
         where {within}{ended}
         order by queued_at desc, job_id limit $8::bigint) looked_at) judged
 where fits or nth = $8
 order by queued_at desc, job_id limit $7

-- name: channel_log_named
-- These messages ($19), by the primary key: campaign 0 are test sends, below 0 other channels.
select *, 0 as nth, true as fits from (
    select {columns} from delivery.messages
     where campaign_id = any (case $2 when 'telegram' then array(select c.id from control.campaigns c where c.workspace_id = $1) || 0::bigint
                                      else array[-$1::bigint] end)
       and job_id = any ($19::uuid[])
       and {within}) named
 where {fits}
 order by queued_at desc, job_id limit least($7, $8::bigint)

-- name: channel_log_columns
job_id, sender, destination, run_id, queued_at, coalesce(ended_at, sent_at, read_at, replied_at) as done_at, state,
               error_code, error_message, error_permanent, price, reference, entity_id, application_id, body, content_type

-- name: channel_log_within
-- $3 and $4: made between; $5 and $6: behind this place. One comparison bounds the index scan; of the place's own
-- millisecond those before it are left out then.
workspace_id = $1 and channel = $2
           and queued_at > greatest($3::timestamptz, now() - interval '48 hours')
           and queued_at < least($4::timestamptz, 'infinity')
           and queued_at <= least($5::timestamptz, 'infinity')
           and ($5::timestamptz is null or queued_at < $5 or job_id > $6::uuid)

-- name: channel_log_ended
 and rank in (2, 3)

-- name: channel_log_fits
-- $9 senders, $10 destinations, $11 runs, $14 references; $15 to $18: status groups, core/channel_status.py: Selection.
($9::text[] is null or sender = any ($9))
           and ($10::text[] is null or destination = any ($10))
           and ($11::bigint[] is null or run_id = any ($11))
           and ($12::text is null or entity_id = $12)
           and ($13::text is null or application_id = $13)
           and ($14::text[] is null or reference = any ($14))
           and ($15::text[] is null or state = any ($15)
                or state = any ($16::text[]) and (error_code = any ($17::text[]) or coalesce(error_code, '') <> all ($18::text[])))
