-- name: run_content
-- What an outcome's event says beside its message.
select c.body as template, control.content_type(c.attachments) as content_type, c.reference, c.entity_id, c.application_id,
       c.started_by_schedule as scheduled, a.handle as account_handle, a.telegram_user_id as account_user_id
  from control.campaigns c join control.telegram_accounts a on a.id = c.telegram_account_id
 where c.id = $1

-- name: pending_page
-- Messages without an outcome in the log, in its order, each with what the ledger holds of it.
select m.job_id, m.sender_id as contact_id, coalesce(m.step, 0) as step, m.follow_up, coalesce(m.trigger, 'broadcast') as trigger,
       m.sender, m.destination, m.body, m.content_type, coalesce(m.queued_at, m.created_at) as queued_at, m.position,
       exists (select from dispatch.due d where d.job_id = m.job_id) as has_due,
       s.state as ledger_state, coalesce(s.attempt, 0) as attempt, s.body as sent_body, s.telegram_message_id,
       s.code, s.message, s.decided_at
  from delivery.messages m
  left join telegram.sends s on s.job_id = m.job_id
 where m.campaign_id = $1 and m.status = 'pending' and m.position > $2 and m.sender_id is not null
 order by m.position
 limit $3

-- name: unlogged_page
-- People before the cursor of whom the log knows nothing: their `queued` event was lost with its stream. Also those who
-- were taken out since: their message was made and must end.
select p.id, p.telegram_user_id, p.handle, p.first_name, p.last_name, p.columns
  from (select id, telegram_user_id, handle, first_name, last_name, columns
          from control.contacts where campaign_id = $1 and id > $2
        union all
        select contact_id, null, null, null, null, '{}'
          from control.former_contacts where campaign_id = $1 and contact_id > $2 and has_job) p
  join dispatch.runs r on r.campaign_id = $1 and p.id <= r.cursor_contact_id
 where not exists (select from delivery.messages m where m.campaign_id = $1 and m.sender_id = p.id)
   -- Whose message is, or was, a due row is not forgotten by that.
   and not exists (select from dispatch.due d where d.campaign_id = $1 and d.contact_id = p.id)
   and not (exists (select from control.steps s where s.campaign_id = $1)
            and exists (select from dispatch.enrollments e where e.campaign_id = $1 and e.contact_id = p.id))
   -- Nor is whose message was in the log and left it for its age.
   and not ((select k.left_until from delivery.campaign_counters k where k.campaign_id = $1) is not null
            and exists (select from telegram.sends s
                         where s.campaign_id = $1 and s.contact_id = p.id
                           and s.first_at <= (select k.left_until from delivery.campaign_counters k where k.campaign_id = $1)))
 order by p.id
 limit $3

-- name: relay_singles_again
-- A job that was lost with its stream; one that is there already is known to its admission.
select control.relay_singles_again();

-- name: note_reconciled
update dispatch.runs set reconciled_at = now() where campaign_id = $1 and epoch = $2

-- name: ended_with_pending
-- Ended campaigns whose log got a row after all, when their run was finished already.
select r.run_id, r.campaign_id, r.workspace_id, r.account_id, r.epoch, r.jobs_made, r.expanded_generation,
       c.status, c.deleted_at is not null as deleted, c.contacts_generation, false as importing,
       k.last_position as rows, k.pending, k.sent + k.failed as finals, k.last_revision, '{}'::jsonb as limits, now() as read_at
  from delivery.campaign_counters k
  join control.campaigns c on c.id = k.campaign_id
  join dispatch.runs r on r.campaign_id = k.campaign_id
 where k.pending > 0 and r.finished_at is not null
 order by k.campaign_id
 limit $1

-- name: fates
-- Of the campaigns that queues are named after: are they still to be sent, and by whom? While a run is being ended its
-- queue may hold jobs whose outcome the gateway is asked for.
select c.id, c.telegram_account_id as account_id,
       (c.status in ('stopped', 'completed') or c.deleted_at is not null)
       and not exists (select from dispatch.runs r where r.campaign_id = c.id and r.finished_at is null) as ended
  from control.campaigns c where c.id = any ($1::bigint[])
