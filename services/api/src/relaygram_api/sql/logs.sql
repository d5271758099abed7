-- name: log_totals
-- What is retained, by the counters; there is a row for each campaign of the workspace, also a deleted one.
select c.id, coalesce(k.first_position, 1) as first_position, coalesce(k.last_position, 0) as last_position,
       coalesce(k.retained_pending + k.retained_sent + k.retained_failed, 0) as total,
       coalesce(k.retained_pending, 0) as pending, coalesce(k.retained_sent, 0) as sent, coalesce(k.retained_failed, 0) as failed
  from control.campaigns c left join delivery.campaign_counters k on k.campaign_id = c.id
 where c.id = $1

-- name: log_page_asc
select id, campaign_id, sender_id, body, status, telegram_message_id, triggered_by_message_id, step, error_code, error_message,
       sent_at, created_at, revision, attempt, read_at, replied_at, job_id, position
  from delivery.messages where campaign_id = $1 and position >= $2 order by position limit $3

-- name: log_page_desc
select id, campaign_id, sender_id, body, status, telegram_message_id, triggered_by_message_id, step, error_code, error_message,
       sent_at, created_at, revision, attempt, read_at, replied_at, job_id, position
  from delivery.messages where campaign_id = $1 and position <= $2 order by position desc limit $3

-- name: log_by_position_asc
with recursive search (low, high) as (
    -- `since` and `since_id` become a position: both grow with it, so some twenty probes find the first row after them.
    select k.first_position, k.last_position + 1 from delivery.campaign_counters k where k.campaign_id = $1
    union all
    select case when p.is_after then s.low else (s.low + s.high) / 2 + 1 end,
           case when p.is_after then (s.low + s.high) / 2 else s.high end
      from search s
      join delivery.messages m on m.campaign_id = $1 and m.position = (s.low + s.high) / 2
     cross join lateral (select ($3::timestamptz is null or m.created_at > $3) and ($4::bigint is null or m.id > $4) as is_after) p
     where s.low < s.high and ($3::timestamptz is not null or $4::bigint is not null)
), start as (select max(low) as position from search)
select id, campaign_id, sender_id, body, status, telegram_message_id, triggered_by_message_id, step, error_code, error_message,
       sent_at, created_at, revision, attempt, read_at, replied_at, job_id, position
  from delivery.messages
 where campaign_id = $1
   and (($3::timestamptz is null and $4::bigint is null) or position >= (select position from start))
   and ($2::text is null or status = $2)
   and ($5::bigint is null or sender_id = $5)
   and ($6::bigint is null or revision > $6)
   and ($7::text is null or error_code = $7)
   and ($8::text is null or body ilike $8)
   and ($9::bigint is null or position > $9)
 order by position limit $10 offset $11

-- name: log_by_position_desc
with recursive search (low, high) as (
    -- `since` and `since_id` become a position: both grow with it, so some twenty probes find the first row after them.
    select k.first_position, k.last_position + 1 from delivery.campaign_counters k where k.campaign_id = $1
    union all
    select case when p.is_after then s.low else (s.low + s.high) / 2 + 1 end,
           case when p.is_after then (s.low + s.high) / 2 else s.high end
      from search s
      join delivery.messages m on m.campaign_id = $1 and m.position = (s.low + s.high) / 2
     cross join lateral (select ($3::timestamptz is null or m.created_at > $3) and ($4::bigint is null or m.id > $4) as is_after) p
     where s.low < s.high and ($3::timestamptz is not null or $4::bigint is not null)
), start as (select max(low) as position from search)
select id, campaign_id, sender_id, body, status, telegram_message_id, triggered_by_message_id, step, error_code, error_message,
       sent_at, created_at, revision, attempt, read_at, replied_at, job_id, position
  from delivery.messages
 where campaign_id = $1
   and (($3::timestamptz is null and $4::bigint is null) or position >= (select position from start))
   and ($2::text is null or status = $2)
   and ($5::bigint is null or sender_id = $5)
   and ($6::bigint is null or revision > $6)
   and ($7::text is null or error_code = $7)
   and ($8::text is null or body ilike $8)
   and ($9::bigint is null or position < $9)
 order by position desc limit $10 offset $11

-- name: log_by_revision_asc
with recursive search (low, high) as (
    -- `since` and `since_id` become a position: both grow with it, so some twenty probes find the first row after them.
    select k.first_position, k.last_position + 1 from delivery.campaign_counters k where k.campaign_id = $1
    union all
    select case when p.is_after then s.low else (s.low + s.high) / 2 + 1 end,
           case when p.is_after then (s.low + s.high) / 2 else s.high end
      from search s
      join delivery.messages m on m.campaign_id = $1 and m.position = (s.low + s.high) / 2
     cross join lateral (select ($3::timestamptz is null or m.created_at > $3) and ($4::bigint is null or m.id > $4) as is_after) p
     where s.low < s.high and ($3::timestamptz is not null or $4::bigint is not null)
), start as (select max(low) as position from search)
select id, campaign_id, sender_id, body, status, telegram_message_id, triggered_by_message_id, step, error_code, error_message,
       sent_at, created_at, revision, attempt, read_at, replied_at, job_id, position
  from delivery.messages
 where campaign_id = $1
   and (($3::timestamptz is null and $4::bigint is null) or position >= (select position from start))
   and ($2::text is null or status = $2)
   and ($5::bigint is null or sender_id = $5)
   and ($6::bigint is null or revision > $6)
   and ($7::text is null or error_code = $7)
   and ($8::text is null or body ilike $8)
   and ($9::bigint is null or revision > $9)
 order by revision limit $10 offset $11

-- name: log_count
-- Counting stops where nobody needs the exact number any more.
with recursive search (low, high) as (
    -- `since` and `since_id` become a position: both grow with it, so some twenty probes find the first row after them.
    select k.first_position, k.last_position + 1 from delivery.campaign_counters k where k.campaign_id = $1
    union all
    select case when p.is_after then s.low else (s.low + s.high) / 2 + 1 end,
           case when p.is_after then (s.low + s.high) / 2 else s.high end
      from search s
      join delivery.messages m on m.campaign_id = $1 and m.position = (s.low + s.high) / 2
     cross join lateral (select ($3::timestamptz is null or m.created_at > $3) and ($4::bigint is null or m.id > $4) as is_after) p
     where s.low < s.high and ($3::timestamptz is not null or $4::bigint is not null)
), start as (select max(low) as position from search)
select count(*) from (
select 1 from delivery.messages
 where campaign_id = $1
   and (($3::timestamptz is null and $4::bigint is null) or position >= (select position from start))
   and ($2::text is null or status = $2)
   and ($5::bigint is null or sender_id = $5)
   and ($6::bigint is null or revision > $6)
   and ($7::text is null or error_code = $7)
   and ($8::text is null or body ilike $8)
 limit $9) found
