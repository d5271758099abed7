-- name: suppress
-- In the order given; who is there already is not doubled.
select control.suppress($1, $2, $3, $4, $5, $6, $7, $8)

-- name: count_suppressions
select count(*) from control.suppressions
 where workspace_id = $1 and ($2::text is null or handle ilike $2 or reason ilike $2 or telegram_user_id = $3 or phone_hash = $4)

-- name: list_suppressions
-- After an id, for reading them all; with an offset, for pages.
select id, telegram_user_id, handle, phone_hash is not null as has_phone, phone_sealed, person_hash is not null as erased,
       reason, created_at
  from control.suppressions
 where workspace_id = $1 and ($2::text is null or handle ilike $2 or reason ilike $2 or telegram_user_id = $3 or phone_hash = $4)
   and id > $5
 order by id limit $6 offset $7

-- name: get_suppression
select person_hash is not null as erased from control.suppressions where workspace_id = $1 and id = $2 for update

-- name: delete_suppression
delete from control.suppressions where workspace_id = $1 and id = $2
