-- name: take_requests
select granted, requests_left from control.take_requests($1, $2, $3, $4, $5, $6)

-- name: begin_login
select tries, wait_seconds from control.begin_login($1, $2)

-- name: end_login
select control.end_login($1, $2)

-- name: prune_requests
select control.prune_requests($1) as pruned

-- name: claim_key
select is_mine, route_hash, body_hash, answer_sealed, age_seconds from control.claim_key($1, $2, $3, $4, $5, $6, $7)

-- name: keep_answer
-- In the transaction of the effect: nothing comes back when somebody else has taken the key over.
update control.idempotency_keys set answer_sealed = $4, body_hash = $5, created_at = now()
 where user_id = $1 and key = $2 and claim = $3 and answer_sealed is null returning 1

-- name: renew_key
update control.idempotency_keys set claimed_until = clock_timestamp() + make_interval(secs => $4)
 where user_id = $1 and key = $2 and claim = $3 and answer_sealed is null

-- name: release_key
-- The answer may be there after all, when a commit's confirmation was lost.
delete from control.idempotency_keys where user_id = $1 and key = $2 and claim = $3 and answer_sealed is null
