-- name: count_senders
select count(*) from control.contacts where campaign_id = $1

-- name: status_totals
-- How many messages of a status there are, and in all: tells how to look for people by status.
select retained_pending as pending, retained_sent as sent, retained_failed as failed
  from delivery.campaign_counters where campaign_id = $1

-- name: senders_in_order
-- Any status ($2 null), or one that nearly everybody has: one after the other, until there are enough.
select p.id
  from control.contacts p
  left join lateral (
      select case when bool_or(m.replied_at is not null) then 'replied'
                  else (array_agg(m.status order by m.position desc))[1] end as status
        from delivery.messages m where $2::text is not null and m.campaign_id = $1 and m.sender_id = p.id) m on true
 where p.campaign_id = $1 and p.id > $4
   and ($2::text is null or coalesce(m.status, 'pending') = $2)
   and ($3::text is null or p.first_name ilike $3 or p.last_name ilike $3 or p.handle ilike $3)
 order by p.id limit $5 offset $6

-- name: senders_by_status
-- Starts from the messages of this status, and keeps whose newest it is.
select p.id
  from (select distinct m.sender_id as id from delivery.messages m
         where m.campaign_id = $1 and m.status = $2 and m.sender_id > $4) c
  join control.contacts p on p.campaign_id = $1 and p.id = c.id
 cross join lateral (
      select case when bool_or(m.replied_at is not null) then 'replied'
                  else (array_agg(m.status order by m.position desc))[1] end as status
        from delivery.messages m where m.campaign_id = $1 and m.sender_id = p.id) m
 where m.status = $2
   and ($3::text is null or p.first_name ilike $3 or p.last_name ilike $3 or p.handle ilike $3)
 order by p.id limit $5 offset $6

-- name: senders_replied
-- Whoever replied once has replied.
select p.id
  from (select distinct m.sender_id as id from delivery.messages m
         where m.campaign_id = $1 and m.replied_at is not null and m.sender_id > $4 and $2::text = 'replied') c
  join control.contacts p on p.campaign_id = $1 and p.id = c.id
 where $3::text is null or p.first_name ilike $3 or p.last_name ilike $3 or p.handle ilike $3
 order by p.id limit $5 offset $6

-- name: senders_pending
-- Whose turn has not come, whose first message waits until it is due, and whose newest message has no outcome yet: of
-- those there are never many at once.
select p.id
  from ((select p.id from control.contacts p
          where p.campaign_id = $1
            and p.id > greatest($4, coalesce((select r.cursor_contact_id from dispatch.runs r where r.campaign_id = $1), 0))
            -- A probe each: as a join it could begin with all messages.
            and (select m.id from delivery.messages m where m.campaign_id = $1 and m.sender_id = p.id limit 1) is null
            and ($3::text is null or p.first_name ilike $3 or p.last_name ilike $3 or p.handle ilike $3)
          order by p.id limit $5::bigint + $6::bigint)
        union
        (select d.contact_id from dispatch.due d
          where d.campaign_id = $1 and d.contact_id > $4 and d.published_at is null and d.follows_at is null
            and (select m.id from delivery.messages m where m.campaign_id = $1 and m.sender_id = d.contact_id limit 1) is null
            and ($3::text is null or exists (
                select from control.contacts p where p.campaign_id = $1 and p.id = d.contact_id
                   and (p.first_name ilike $3 or p.last_name ilike $3 or p.handle ilike $3)))
          order by d.contact_id limit $5::bigint + $6::bigint)
        union
        select m.sender_id from delivery.messages m
         where m.campaign_id = $1 and m.status = $2 and m.sender_id > $4) c
  join control.contacts p on p.campaign_id = $1 and p.id = c.id
  left join lateral (
      select case when bool_or(m.replied_at is not null) then 'replied'
                  else (array_agg(m.status order by m.position desc))[1] end as status
        from delivery.messages m where m.campaign_id = $1 and m.sender_id = p.id) m on true
 where coalesce(m.status, 'pending') = 'pending'
   and ($3::text is null or p.first_name ilike $3 or p.last_name ilike $3 or p.handle ilike $3)
 order by p.id limit $5 offset $6

-- name: senders_by_id
-- The newest message decides, but whoever replied once has replied.
select p.id, p.campaign_id, p.telegram_user_id, p.handle, p.first_name, p.last_name, p.tags,
       coalesce(m.status, 'pending') as status, m.last_message_at, m.last_reply_at
  from control.contacts p
  left join lateral (
      select case when bool_or(m.replied_at is not null) then 'replied'
                  else (array_agg(m.status order by m.position desc))[1] end as status,
             max(m.sent_at) as last_message_at, max(greatest(m.replied_at, m.last_reply_at)) as last_reply_at
        from delivery.messages m where m.campaign_id = $1 and m.sender_id = p.id) m on true
 where p.campaign_id = $1 and p.id = any ($2::bigint[])
 order by p.id
