-- name: begin_inbound
-- Is this message new? Others of its chat wait until the transaction ends; not for long, since they may hold up all.
select dispatch.begin_inbound($1, $2, $3, $4) from (select set_config('lock_timeout', '2s', true)) as l

-- name: auto_replies
-- Who might answer this person, and who did within the cooldown.
select c.id as campaign_id, c.status, c.trigger_keyword as keyword,
       coalesce($3::float8 > 0 and a.answered_at > now() - make_interval(secs => $3), false) as cooling
  from control.campaigns c
  left join dispatch.answers a on a.campaign_id = c.id and a.telegram_user_id = $2
 where c.telegram_account_id = $1 and c.mode = 'auto_reply' and c.status in ('running', 'paused') and c.deleted_at is null

-- name: note_reply
select dispatch.note_reply($1, $2, $3, $4, $5, $6)

-- name: ensure_sender
select control.ensure_sender($1, $2, $3, $4, $5)

-- name: make_answer
-- The answer is due now, and the cooldown begins, whenever it will be sent.
with due as (
    insert into dispatch.due (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, triggered_by_message_id,
                              due_at, expires_at)
    values ($1, $2, $3, $4, $5, 'auto_reply', $6, now(), $7)
    on conflict (job_id) do nothing
)
insert into dispatch.answers as a (campaign_id, telegram_user_id, workspace_id, answered_at) values ($3, $8, $2, now())
on conflict (campaign_id, telegram_user_id) do update set answered_at = excluded.answered_at

-- name: note_decision
update dispatch.inbound set decision = $3, campaign_id = $4, contact_id = $5 where account_id = $1 and message_id = $2

-- name: suppress_sender
select control.suppress_sender($1, $2, $3, $4)

-- name: begin_confirmation
-- The number of the row, from which its job's id follows, and whose name it bears.
select nextval('control.contacts_id_seq') as id, now() as at, a.handle, a.telegram_user_id
  from control.telegram_accounts a where a.id = $1

-- name: confirm_opt_out
-- The row that the gateway sends by, the pending row of the log, and the job.
with told as (
    insert into control.outbox (workspace_id, kind, subject, body, headers) values ($2, 'stream', $10, $11, $12)
)
insert into control.single_sends as t (id, workspace_id, trigger, body, triggered_by_message_id, account_id, job_id,
                                       telegram_user_id, handle, first_name, created_at)
values ($1, $2, 'opt_out', $3, $4, $5, $6, $7, $8, $9, $13)
returning control.relay_single(t)

-- name: prune_inbound
-- A message is asked for again for two weeks at most: what is older than 30 days nobody looks for. A few at a time, since
-- nobody waits for it.
with old as (
    delete from dispatch.inbound where (account_id, message_id) in (
        select i.account_id, i.message_id from dispatch.inbound i where i.decided_at < now() - interval '30 days'
         order by i.decided_at limit $1 for update skip locked)
    returning 1
), answers as (
    delete from dispatch.answers where (campaign_id, telegram_user_id) in (
        select a.campaign_id, a.telegram_user_id from dispatch.answers a where a.answered_at < now() - interval '30 days'
         order by a.answered_at limit $1 for update skip locked)
    returning 1
)
select (select count(*) from old) + (select count(*) from answers)

-- name: prune_due
-- What was decided in the moment in which its campaign ended: nobody works the run any more. Campaign by campaign along
-- the index, of which there are few, however many rows are due.
with recursive campaign as (
    (select campaign_id from dispatch.due order by campaign_id limit 1)
    union all
    select (select d.campaign_id from dispatch.due d where d.campaign_id > c.campaign_id order by d.campaign_id limit 1)
      from campaign c where c.campaign_id is not null
), old as (
    delete from dispatch.due where job_id in (
        select d.job_id from campaign c
          join control.campaigns k on k.id = c.campaign_id and (k.status in ('stopped', 'completed') or k.deleted_at is not null)
          join dispatch.due d on d.campaign_id = c.campaign_id
         where not exists (select from dispatch.runs r where r.campaign_id = c.campaign_id and r.finished_at is null)
         limit $1 for update of d skip locked)
    returning 1
)
select count(*) from old
