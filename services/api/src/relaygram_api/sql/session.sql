-- name: begin_in_workspace
-- One round trip opens the transaction and says whom it works for. The number is put in by the adapter, which makes
-- it an integer first: a simple query takes no parameters.
begin; set local relaygram.workspace_id = '{workspace_id}'

-- name: name_author
-- For the audit log, in the same round trip.
set local relaygram.actor = '{actor}'; set local relaygram.token_id = '{token_id}';
set local relaygram.request_id = '{request_id}'

-- name: commit
commit

-- name: rollback
rollback

-- name: enter_workspace
-- For connections that only read: it outlives the statement, so each read makes sure of it.
set relaygram.workspace_id = '{workspace_id}'

-- name: guarded_read
-- The guard depends on no row, so it is asked once and before the first row. Compared here, as the function takes 5 µs.
select q.* from (
{statement}
) q where (select control.workspace() = ${workspace} or control.demand_workspace(${workspace}))
