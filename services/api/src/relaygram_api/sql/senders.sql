-- name: count_senders
select count(*) from control.contacts where campaign_id = $1

-- name: count_some_senders
-- Counting stops where nobody needs the exact number any more.
select count(*) from (
    select 1
      from control.contacts p
      left join lateral (
          select case when bool_or(m.replied_at is not null) then 'replied'
                      else (array_agg(m.status order by m.position desc))[1] end as status
            from delivery.messages m where $2::text is not null and m.campaign_id = $1 and m.sender_id = p.id) m on true
     where p.campaign_id = $1
       and ($2::text is null or coalesce(m.status, 'pending') = $2)
       and ($3::text is null or p.first_name ilike $3 or p.last_name ilike $3 or p.handle ilike $3)
     limit $4) found

-- name: list_senders
-- The newest message decides, but whoever replied once has replied.
select p.id, p.campaign_id, p.telegram_user_id, p.handle, p.first_name, p.last_name, p.tags,
       coalesce(m.status, 'pending') as status, m.last_message_at, m.last_reply_at
  from control.contacts p
  left join lateral (
      select case when bool_or(m.replied_at is not null) then 'replied'
                  else (array_agg(m.status order by m.position desc))[1] end as status,
             max(m.sent_at) as last_message_at, max(m.replied_at) as last_reply_at
        from delivery.messages m where m.campaign_id = $1 and m.sender_id = p.id) m on true
 where p.campaign_id = $1
   and ($2::text is null or coalesce(m.status, 'pending') = $2)
   and ($3::text is null or p.first_name ilike $3 or p.last_name ilike $3 or p.handle ilike $3)
 order by p.id limit $4 offset $5
