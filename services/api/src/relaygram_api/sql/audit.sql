-- name: count_audit
select count(*) from control.audit_log
 where ($1::text is null or actor = $1) and ($2::text is null or action = $2) and ($3::text is null or kind = $3)
   and ($4::bigint is null or thing_id = $4) and ($5::timestamptz is null or happened_at > $5)
   and ($6::timestamptz is null or happened_at < $6)

-- name: list_audit
-- Newest first; by cursor ($7) or by page ($9).
select id, happened_at, actor, token_id, request_id, action, kind, thing_id, before, after from control.audit_log
 where ($1::text is null or actor = $1) and ($2::text is null or action = $2) and ($3::text is null or kind = $3)
   and ($4::bigint is null or thing_id = $4) and ($5::timestamptz is null or happened_at > $5)
   and ($6::timestamptz is null or happened_at < $6) and ($7::bigint is null or id < $7)
 order by id desc limit $8 offset $9
