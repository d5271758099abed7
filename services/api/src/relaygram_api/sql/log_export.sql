-- name: log_export_extent
-- What an export spans: `created_at` and `id` grow with the position, so that since ($2) and since_id ($3) only say where
-- it begins. There is a row for each campaign of the workspace, also a deleted one.
select coalesce(delivery.position_after($1, $2, $3), 1) as first, coalesce(k.last_position, 0) as last
  from control.campaigns c left join delivery.campaign_counters k on k.campaign_id = c.id
 where c.id = $1

-- name: log_export_columns
-- For COPY: a row of the logs endpoint by columns. $8: texts that a spreadsheet would run as formulas get a quote in front
-- (core/spreadsheets.py; numbers are none). Times are written here since 10 million of them are cheap here only.
select id, campaign_id, sender_id, 'outbound',
       case when $8::boolean and ascii(body) in (61, 43, 45, 64, 9, 13) then '''' || body else body end,
       status, telegram_message_id, triggered_by_message_id, step,
       case when $8::boolean and ascii(error_code) in (61, 43, 45, 64, 9, 13) then '''' || error_code else nullif(error_code, '') end,
       case when error_code = '' then null
            when $8::boolean and ascii(error_message) in (61, 43, 45, 64, 9, 13) then '''' || error_message
            when error_code is not null then coalesce(error_message, '') end,
       to_char(sent_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       revision, attempt,
       to_char(read_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       to_char(replied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       job_id
  from delivery.log_rows
 where campaign_id = $1 and position between $2 and $3
   and ($4::text is null or status = $4)
   and ($5::bigint is null or sender_id = $5)
   and ($6::text is null or error_code = $6)
   and ($7::text is null or body ilike $7)
 order by position

-- name: log_export_json
-- For COPY: the same as the JSON that the logs endpoint shows, to the byte. json_build_object and row_to_json cost half as
-- much again. Only texts need escaping; JSON holds no control characters, so that COPY has nothing to escape either.
select '{"id":' || id || ',"campaign_id":' || campaign_id
    || ',"sender_id":' || coalesce(sender_id::text, 'null')
    || ',"direction":"outbound","body":' || coalesce(to_json(body)::text, 'null')
    || ',"status":"' || status
    || '","telegram_message_id":' || coalesce('"' || telegram_message_id || '"', 'null')
    || ',"triggered_by_message_id":' || coalesce('"' || triggered_by_message_id || '"', 'null')
    || ',"sequence_step":' || coalesce(step::text, 'null')
    || ',"error":' || case when error_code <> ''
                           then '{"code":' || to_json(error_code) || ',"message":' || to_json(coalesce(error_message, '')) || '}'
                           else 'null' end
    || ',"sent_at":' || coalesce(to_char(sent_at at time zone 'UTC', '"\""YYYY-MM-DD"T"HH24:MI:SS.US"Z\""'), 'null')
    || ',"created_at":"' || to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    || '","revision":' || revision || ',"attempts":' || attempt
    || ',"read_at":' || coalesce(to_char(read_at at time zone 'UTC', '"\""YYYY-MM-DD"T"HH24:MI:SS.US"Z\""'), 'null')
    || ',"replied_at":' || coalesce(to_char(replied_at at time zone 'UTC', '"\""YYYY-MM-DD"T"HH24:MI:SS.US"Z\""'), 'null')
    || ',"job_id":"' || job_id || '"}'
  from delivery.log_rows
 where campaign_id = $1 and position between $2 and $3
   and ($4::text is null or status = $4)
   and ($5::bigint is null or sender_id = $5)
   and ($6::text is null or error_code = $6)
   and ($7::text is null or body ilike $7)
 order by position
