-- May this message be sent, as things stand now?

-- What a person wrote that was not decided when their newest message was noted. That one alone would not do: a STOP may be
-- decided after the message behind it.
alter table telegram.last_inbound add column undecided bigint[] not null default '{}';

-- Admission: may these jobs be sent, as things stand now? One call per pulled batch, committed before the first byte.
-- Campaign 0: a test or an opt-out's confirmation; the row of control.single_sends is the person and the campaign may be
-- in any state.
-- decision: send (a ledger row now says `sending`, `attempt` counts this one) · final (decided before: `ledger_state`,
-- publish its event again) · paused · stopped · suppressed · gone (campaign, contact or step) · expired · foreign (not
-- this account's campaign) · replied (since the campaign's last message to that person) · undecided (what the person
-- wrote may be a STOP: wait) · quiet (their quiet hours; the caller makes a due row of it in this transaction) ·
-- exhausted (tried `p_max_attempts` times).
-- For stopped, suppressed, gone, expired, replied and exhausted: a job never on the wire is `dropped` here and now
-- (`ledger_state` says so); one whose outcome is unknown stays `sending`, and the caller looks in the chat before it
-- records `code` and `message`.
create function telegram.admit(p_account bigint, p_term bigint, p_max_attempts int,
                               p_jobs uuid[], p_campaigns bigint[], p_contacts bigint[], p_steps int[],
                               p_identities bigint[] default '{}', p_follow_ups int[] default '{}',
                               p_triggers text[] default '{}', p_answers bigint[] default '{}',
                               p_expires timestamptz[] default '{}')
returns table (
    job_id uuid, decision text, ledger_state text, attempt int, network_failures int,
    first_at timestamptz, last_at timestamptz, decided_at timestamptz,
    sent_body text, sent_chat bigint, telegram_message_id bigint, code text, message text,
    workspace_id bigint, template text, attachments bigint[], first_name text, last_name text, columns jsonb,
    contact_user_id bigint, contact_handle text, contact_phone_sealed bytea, contact_phone_hash bytea,
    peer_user_id bigint, peer_access_hash bigint,
    reference text, entity_id text, application_id text, quiet_until timestamptz)
language plpgsql as $$
#variable_conflict use_column
begin
    perform telegram.demand_term(p_account, p_term);
    return query
    with job as (
        select j.job_id, j.campaign_id, j.contact_id, j.step, coalesce(j.identity, 0) as identity, j.follow_up,
               coalesce(j.trigger, 'broadcast') as trigger, j.answers, j.expires_at, f.workspace_id
          from unnest(p_jobs, p_campaigns, p_contacts, p_steps, p_identities, p_follow_ups, p_triggers, p_answers, p_expires)
                   as j (job_id, campaign_id, contact_id, step, identity, follow_up, trigger, answers, expires_at)
          join telegram.fences f on f.account_id = p_account
    ),
    known as (
        select j.job_id, j.campaign_id, j.contact_id, j.step, j.answers, j.workspace_id,
               c.id is null or c.deleted_at is not null or p.id is null as gone,
               c.telegram_account_id as account_id, c.status, true as may_be_suppressed,
               j.expires_at < now() as expired, 'TRIGGER_EXPIRED' as expired_code,
               j.trigger <> 'auto_reply' and (j.step > 0 or j.follow_up is not null) as follows,
               case when j.follow_up is not null then t.followups -> j.follow_up ->> 'body'
                    when t.step_id is not null then t.body
                    when j.identity = 0 and not exists (select from control.steps o where o.campaign_id = c.id)
                    then c.body end as template,
               case when j.follow_up is not null then '{}' when t.step_id is not null then t.attachments
                    else c.attachments end as attachments,
               p.first_name, p.last_name, p.columns, p.telegram_user_id, p.handle, p.phone_sealed, p.phone_hash,
               array[p.phone_hash] as person_hashes, c.reference, c.entity_id, c.application_id,
               case when c.quiet_hours is not null and j.trigger <> 'auto_reply'
                    then control.quiet_until(c.quiet_hours, coalesce(p.time_zone, c.time_zone), now()) end as quiet_until
          from job j
          left join control.campaigns c on c.id = j.campaign_id and c.workspace_id = j.workspace_id
          left join control.contacts p on p.id = j.contact_id and p.campaign_id = j.campaign_id
          left join control.steps t on t.campaign_id = j.campaign_id and t.identity = j.identity
         where j.campaign_id <> 0
        union all
        select j.job_id, 0, j.contact_id, 0, j.answers, j.workspace_id,
               o.id is null or o.trigger = 'test' and (c.id is null or c.deleted_at is not null),
               o.account_id, 'running', o.trigger <> 'opt_out',
               o.created_at < now() - interval '1 hour', 'EXPIRED', false,
               coalesce(o.body, c.body),
               case when o.body is not null or o.attachments <> '{}' then o.attachments else c.attachments end,
               o.first_name, o.last_name, o.columns, o.telegram_user_id, o.handle, o.phone_sealed, o.phone_hash,
               o.person_hashes, c.reference, c.entity_id, c.application_id, null
          from job j
          left join control.single_sends o on o.job_id = j.job_id and o.workspace_id = j.workspace_id
          left join control.campaigns c on c.id = o.campaign_id and c.workspace_id = j.workspace_id
         where j.campaign_id = 0
    ),
    judged as (
        select k.*, s.state as ledger_state, e.telegram_user_id as peer_user_id, e.access_hash as peer_access_hash,
               case when s.state in ('accepted', 'refused', 'dropped') then 'final'
                    when k.gone then 'gone'
                    when k.account_id <> p_account or s.account_id <> p_account then 'foreign'
                    when k.status = 'paused' then 'paused'
                    when k.status <> 'running' then 'stopped'
                    when k.may_be_suppressed
                         and exists (select from control.suppressions x where x.workspace_id = k.workspace_id
                                      and (x.telegram_user_id in (k.telegram_user_id, e.telegram_user_id)
                                           or x.handle in (k.handle, e.handle)
                                           or x.phone_hash in (k.phone_hash, e.phone_hash)
                                           or x.person_hash = any (k.person_hashes))) then 'suppressed'
                    when k.template is null then 'gone'
                    when k.expired and s.job_id is null then 'expired'
                    when k.follows and i.message_id is not null
                         and exists (select from (select a.telegram_message_id, a.decided_at from telegram.sends a
                                                   where a.account_id = p_account
                                                     and a.telegram_user_id = i.telegram_user_id
                                                     and a.campaign_id = k.campaign_id
                                                     and a.contact_id = k.contact_id and a.state = 'accepted'
                                                   order by a.decided_at desc limit 1) l
                                      where i.message_id > l.telegram_message_id
                                         or l.telegram_message_id is null and i.date > l.decided_at) then 'replied'
                    -- Inbound messages rest in their stream for 14 days; what is older nobody will decide.
                    when i.date > now() - interval '14 days'
                         and exists (select from unnest(i.undecided || i.message_id) as u (message_id)
                                      where u.message_id is distinct from k.answers
                                        and not exists (select from dispatch.inbound d
                                                         where d.account_id = p_account and d.message_id = u.message_id))
                    then 'undecided'
                    when k.quiet_until is not null and s.job_id is null then 'quiet'
                    when s.attempt >= p_max_attempts then 'exhausted'
                    else 'send' end as decision
          from known k
          left join telegram.sends s on s.job_id = k.job_id
          -- The best match first; the others are not even looked for then.
          left join lateral (
              select q.telegram_user_id, q.access_hash, q.handle, q.phone_hash from telegram.peers q
               where q.account_id = p_account and q.telegram_user_id = k.telegram_user_id
              union all
              select q.telegram_user_id, q.access_hash, q.handle, q.phone_hash from telegram.peers q
               where q.account_id = p_account and q.handle = k.handle
              union all
              select q.telegram_user_id, q.access_hash, q.handle, q.phone_hash from telegram.peers q
               where q.account_id = p_account and q.phone_hash = k.phone_hash
              limit 1) e on true
          left join telegram.last_inbound i on i.account_id = p_account
                   and i.telegram_user_id = coalesce(e.telegram_user_id, k.telegram_user_id)
        offset 0  -- the decision is made once, not for each use of it
    ),
    told as (
        select j.*,
               case j.decision when 'expired' then j.expired_code when 'exhausted' then 'NETWORK'
                               else upper(j.decision) end as code,
               case when j.decision = 'stopped' then 'The campaign was stopped before this message was sent.'
                    when j.decision = 'suppressed' then 'The person is on the suppression list.'
                    when j.decision = 'gone' and not j.gone then 'This step of the campaign no longer exists.'
                    when j.decision = 'gone' then 'The campaign or the contact no longer exists.'
                    when j.decision = 'expired' and j.campaign_id = 0 then 'The message could not be sent within an hour.'
                    when j.decision = 'expired' then 'The message that it answers is too old.'
                    when j.decision = 'replied' then 'The person has replied since the previous message.' end as message
          from judged j
    ),
    entered as (
        insert into telegram.sends as s (job_id, workspace_id, campaign_id, account_id, contact_id, step, state, attempt, term,
                                         code, message, first_at, last_at, decided_at)
        select g.job_id, g.workspace_id, g.campaign_id, p_account, g.contact_id, g.step,
               case g.decision when 'send' then 'sending' else 'dropped' end,
               case g.decision when 'send' then 1 else 0 end, p_term,
               case g.decision when 'send' then null else g.code end, g.message,
               clock_timestamp(), clock_timestamp(), case g.decision when 'send' then null else clock_timestamp() end
          from told g
         where g.decision = 'send'
            or g.decision in ('stopped', 'suppressed', 'gone', 'expired', 'replied') and g.ledger_state is null
         order by g.job_id
        on conflict (job_id) do update
           set attempt = s.attempt + 1, term = excluded.term, last_at = excluded.last_at
         where s.state = 'sending' and excluded.state = 'sending' and s.term <= excluded.term
        returning s.job_id, s.state, s.attempt, s.network_failures, s.first_at, old.last_at, s.decided_at, s.body,
                  s.telegram_user_id, s.telegram_message_id, s.code, s.message
    )
    select g.job_id, g.decision, coalesce(n.state, s.state), coalesce(n.attempt, s.attempt, 0),
           coalesce(n.network_failures, s.network_failures, 0), coalesce(n.first_at, s.first_at),
           coalesce(n.last_at, s.last_at), coalesce(n.decided_at, s.decided_at), coalesce(n.body, s.body),
           coalesce(n.telegram_user_id, s.telegram_user_id), coalesce(n.telegram_message_id, s.telegram_message_id),
           case when g.decision in ('send', 'final') then coalesce(n.code, s.code) else g.code end,
           case when g.decision in ('send', 'final') then coalesce(n.message, s.message) else g.message end,
           g.workspace_id, g.template, g.attachments, g.first_name, g.last_name, g.columns, g.telegram_user_id, g.handle,
           g.phone_sealed, g.phone_hash, g.peer_user_id, g.peer_access_hash,
           g.reference, g.entity_id, g.application_id, g.quiet_until
      from told g
      left join entered n on n.job_id = g.job_id
      left join telegram.sends s on s.job_id = g.job_id;
end
$$;
comment on function telegram.admit is 'last_at is that of the attempt before this one (null on the first).';
revoke execute on function telegram.admit from public;
grant execute on function telegram.admit to relaygram_gateway;
