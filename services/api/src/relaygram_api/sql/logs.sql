-- name: log_totals
-- What is retained, by the counters; there is a row for each campaign of the workspace, also a deleted one.
select c.id,
       coalesce(k.retained_pending + k.retained_sent + k.retained_failed, 0) as total,
       coalesce(k.retained_pending, 0) as pending, coalesce(k.retained_sent, 0) as sent, coalesce(k.retained_failed, 0) as failed
  from control.campaigns c left join delivery.campaign_counters k on k.campaign_id = c.id
 where c.id = $1

-- name: log_version
-- Whatever changes in what is shown of a campaign's log moves one of these: so what was read at the same version is the same.
select array[first_position, last_position, last_revision] from delivery.campaign_counters where campaign_id = $1

-- name: log_page
-- A page, put together of the pieces below (adapters/log_pages.py). With all filters in one statement, as
-- `$2 is null or status = $2`, it would have to be planned anew for each request, which costs more than the page. So does
-- one whose limit it does not know: it expects a tenth of the log. $1 the campaign; `place` is where the rows after a
-- moment or an id begin, if such are asked for.
-- Before the rows comes one that says of the log: the total, first and last position and the last revision, to save a round
-- trip. Beside the rows, in columns, these would take a fifth of the page's time. Where it is missing nothing was ever
-- logged, and log_totals tells whether there is such a campaign.
with counters as materialized (
    select first_position, last_position, last_revision, retained_pending, retained_sent, retained_failed
      from delivery.campaign_counters where campaign_id = $1){place}
select (null::delivery.log_rows).*, array[({total}), first_position, last_position, last_revision{shown_place}] as log from counters
union all
({rows})

-- name: log_rows_at_asc
-- Without filters. Positions are dense, so that where page N begins and ends can be told. The counters in subqueries, not
-- joined: as a join it is planned as a scan of the whole log.
select *, null::bigint[] from delivery.log_rows
  where campaign_id = $1
    and position between (select first_position + $2 from counters) and (select first_position + $2 + $3 - 1 from counters)
  order by position

-- name: log_rows_at_desc
select *, null::bigint[] from delivery.log_rows
  where campaign_id = $1
    and position between (select last_position - $2 - $3 + 1 from counters) and (select last_position - $2 from counters)
  order by position desc

-- name: log_rows
select *, null::bigint[] from {source} rows
 where campaign_id = $1{where}
 order by {sort} limit {limit}

-- name: log_further_rows
-- Of an offset it expects a tenth of what is within: so no more is within than may be needed.
select * from ({rows}) rows limit {limit} offset ${offset}

-- name: log_source
delivery.log_rows

-- name: log_source_sender_id
-- Few rows of many: with `offset`, so that they are not looked for in the order of the log.
(select * from delivery.log_rows where campaign_id = $1 and sender_id = ${sender_id} offset 0)

-- name: log_place
, place as materialized (select delivery.position_after($1, ${since}, ${since_id}) as first)

-- name: log_place_after_id
-- Who goes on after a row of this log needs one probe. With `limit`, so that it can be no other one than of workspace and id.
, place as materialized (
select coalesce((select position + 1 from (select campaign_id, position from delivery.messages
                                            where workspace_id = (select control.workspace()) and id = ${since_id} limit 1) row
                  where campaign_id = $1),
                delivery.position_after($1, null, ${since_id})) as first)

-- name: log_place_known
-- By the cursor: no row comes before another, so that it never changes.
, place as materialized (select ${place}::bigint as first)

-- name: log_shown_place
, (select first from place)

-- name: log_where_place
 and position >= (select first from place)

-- name: log_where_status
 and status = ${status}

-- name: log_where_sender_id
 and sender_id = ${sender_id}

-- name: log_where_code
 and error_code = ${code}

-- name: log_where_changed_since
-- As a subquery, here and below: of a value that it sees the planner tells how little is behind it, plans for that and
-- finds, request by request, that a plan for any value would be dearer.
 and revision > (select ${changed_since}::bigint)

-- name: log_where_q
 and body ilike ${q}

-- name: log_where_after
 and {sort} > (select ${after}::bigint)

-- name: log_where_before
 and {sort} < (select ${after}::bigint)

-- name: log_total
select retained_pending + retained_sent + retained_failed from counters

-- name: log_total_of_status
select case ${status} when 'sent' then retained_sent when 'failed' then retained_failed else retained_pending end from counters

-- name: log_total_of_code
select coalesce((select retained from delivery.code_counters where campaign_id = $1 and code = ${code}), 0)

-- name: log_total_from_place
-- Positions are dense.
select greatest(0, last_position + 1 - greatest(first_position, (select first from place))) from counters

-- name: log_total_of_changes
select delivery.changes_behind($1, ${changed_since}, {most})

-- name: log_total_counted
-- Counting stops where nobody needs the exact number any more.
select count(*) from (select from delivery.messages where campaign_id = $1{where} limit {most}) found

-- name: log_total_known
-- By the cursor, as long as nothing in the log has changed since that page.
select case when (select (first_position, last_revision) = (${known_begin}, ${known_revision}) from counters)
            then ${known_total}::bigint else ({total}) end

-- name: log_total_still
-- By the cursor: more than are counted have changed after this revision, and who changes again has changed after it all
-- the more. Only rows that leave the log may make them fewer.
select case when (select first_position = ${known_begin} from counters) then {most} else ({total}) end

-- name: all_logs_asc
-- Of the next $8 rows of the workspace those that fit: however rare they are, no request looks at more.
-- Campaign 0 is no campaign: test sends, other channels.
select * from (
    select * from delivery.log_rows
     where workspace_id = $1
       and id > greatest((select delivery.id_before($1, $3) where $3::timestamptz is not null), $2::bigint, 0)
     order by id limit $8) looked_at
 where campaign_id > 0
   and ($4::text is null or status = $4)
   and ($5::bigint is null or sender_id = $5)
   and ($6::text is null or error_code = $6)
   and ($7::text is null or body ilike $7)
 order by id limit $9

-- name: all_logs_desc
select * from (
    select * from delivery.log_rows
     where workspace_id = $1
       and id > coalesce((select delivery.id_before($1, $3) where $3::timestamptz is not null), 0)
       and id < coalesce($2::bigint, 9223372036854775807)
     order by id desc limit $8) looked_at
 where campaign_id > 0
   and ($4::text is null or status = $4)
   and ($5::bigint is null or sender_id = $5)
   and ($6::text is null or error_code = $6)
   and ($7::text is null or body ilike $7)
 order by id desc limit $9

-- name: looked_to_asc
-- The last of those rows; nothing when there are fewer, so that nothing is left.
select id from delivery.messages
 where workspace_id = $1
   and id > greatest((select delivery.id_before($1, $3) where $3::timestamptz is not null), $2::bigint, 0)
 order by id offset $4::bigint - 1 limit 1

-- name: looked_to_desc
select id from delivery.messages
 where workspace_id = $1
   and id > coalesce((select delivery.id_before($1, $3) where $3::timestamptz is not null), 0)
   and id < coalesce($2::bigint, 9223372036854775807)
 order by id desc offset $4::bigint - 1 limit 1
