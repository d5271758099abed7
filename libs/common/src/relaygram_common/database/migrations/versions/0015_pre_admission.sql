-- May this message be sent, as things stand now?

-- Admission: may these jobs be sent, as things stand now? One call per pulled batch, committed before the first byte.
-- decision: send (a ledger row now says `sending`, `attempt` counts this one) · final (decided before: `ledger_state`,
-- publish its event again) · paused · stopped · suppressed · gone · foreign (not this account's campaign) ·
-- exhausted (tried `p_max_attempts` times).
-- For stopped, suppressed, gone and exhausted: a job never on the wire is `dropped` here and now (`ledger_state` says
-- so); one whose outcome is unknown stays `sending`, and the caller looks in the chat before it decides.
create function telegram.admit(p_account bigint, p_term bigint, p_max_attempts int,
                               p_jobs uuid[], p_campaigns bigint[], p_contacts bigint[], p_steps int[])
returns table (
    job_id uuid, decision text, ledger_state text, attempt int, network_failures int,
    first_at timestamptz, last_at timestamptz, decided_at timestamptz,
    sent_body text, telegram_message_id bigint, code text, message text,
    workspace_id bigint, template text, first_name text, last_name text, columns jsonb,
    contact_user_id bigint, contact_handle text, contact_phone_sealed bytea, contact_phone_hash bytea,
    peer_user_id bigint, peer_access_hash bigint,
    reference text, entity_id text, application_id text)
language plpgsql as $$
#variable_conflict use_column
begin
    perform telegram.demand_term(p_account, p_term);
    return query
    with job as (
        select * from unnest(p_jobs, p_campaigns, p_contacts, p_steps) as j (job_id, campaign_id, contact_id, step)
    ),
    judged as (
        select j.job_id, j.campaign_id, j.contact_id, j.step, s.state as ledger_state,
               case when s.state in ('accepted', 'refused', 'dropped') then 'final'
                    when c.id is null or c.deleted_at is not null or p.id is null then 'gone'
                    when c.telegram_account_id <> p_account or s.account_id <> p_account then 'foreign'
                    when c.status = 'paused' then 'paused'
                    when c.status <> 'running' then 'stopped'
                    when exists (select from control.suppressions x where x.workspace_id = c.workspace_id
                                  and (x.telegram_user_id in (p.telegram_user_id, e.telegram_user_id)
                                       or x.handle in (p.handle, e.handle)
                                       or x.phone_hash in (p.phone_hash, e.phone_hash)
                                       or x.person_hash = p.phone_hash)) then 'suppressed'
                    when s.attempt >= p_max_attempts then 'exhausted'
                    else 'send' end as decision,
               f.workspace_id, c.body as template, p.first_name, p.last_name, p.columns,
               p.telegram_user_id as contact_user_id, p.handle as contact_handle,
               p.phone_sealed as contact_phone_sealed, p.phone_hash as contact_phone_hash,
               e.telegram_user_id as peer_user_id, e.access_hash as peer_access_hash,
               c.reference, c.entity_id, c.application_id
          from job j
          join telegram.fences f on f.account_id = p_account
          left join telegram.sends s on s.job_id = j.job_id
          left join control.campaigns c on c.id = j.campaign_id and c.workspace_id = f.workspace_id
          left join control.contacts p on p.id = j.contact_id and p.campaign_id = j.campaign_id
          left join lateral (
              select q.telegram_user_id, q.access_hash, q.handle, q.phone_hash from telegram.peers q
               where q.account_id = p_account
                 and (q.telegram_user_id = p.telegram_user_id or q.handle = p.handle or q.phone_hash = p.phone_hash)
               order by (q.telegram_user_id = p.telegram_user_id) desc nulls last, (q.handle = p.handle) desc nulls last
               limit 1) e on true
    ),
    entered as (
        insert into telegram.sends as s (job_id, workspace_id, campaign_id, account_id, contact_id, step, state, attempt, term,
                                         code, message, first_at, last_at, decided_at)
        select g.job_id, g.workspace_id, g.campaign_id, p_account, g.contact_id, g.step,
               case g.decision when 'send' then 'sending' else 'dropped' end,
               case g.decision when 'send' then 1 else 0 end, p_term,
               case g.decision when 'send' then null else upper(g.decision) end,
               case g.decision when 'stopped' then 'The campaign was stopped before this message was sent.'
                               when 'suppressed' then 'The person is on the suppression list.'
                               when 'gone' then 'The campaign or the contact no longer exists.' end,
               clock_timestamp(), clock_timestamp(), case g.decision when 'send' then null else clock_timestamp() end
          from judged g
         where g.decision = 'send' or g.decision in ('stopped', 'suppressed', 'gone') and g.ledger_state is null
         order by g.job_id
        on conflict (job_id) do update
           set attempt = s.attempt + 1, term = excluded.term, last_at = excluded.last_at
         where s.state = 'sending' and excluded.state = 'sending' and s.term <= excluded.term
        returning s.job_id, s.state, s.attempt, s.network_failures, s.first_at, old.last_at, s.decided_at, s.body,
                  s.telegram_message_id, s.code, s.message
    )
    select g.job_id, g.decision, coalesce(n.state, s.state), coalesce(n.attempt, s.attempt, 0),
           coalesce(n.network_failures, s.network_failures, 0), coalesce(n.first_at, s.first_at),
           coalesce(n.last_at, s.last_at), coalesce(n.decided_at, s.decided_at), coalesce(n.body, s.body),
           coalesce(n.telegram_message_id, s.telegram_message_id), coalesce(n.code, s.code), coalesce(n.message, s.message),
           g.workspace_id, g.template, g.first_name, g.last_name, g.columns, g.contact_user_id, g.contact_handle,
           g.contact_phone_sealed, g.contact_phone_hash, g.peer_user_id, g.peer_access_hash,
           g.reference, g.entity_id, g.application_id
      from judged g
      left join entered n on n.job_id = g.job_id
      left join telegram.sends s on s.job_id = g.job_id;
end
$$;
comment on function telegram.admit is 'last_at is that of the attempt before this one (null on the first).';

-- admit() for test sends: the campaign may be in any state, and the person is the row's. The same decisions and columns,
-- and one more: expired, when nobody got round to it for an hour.
create function telegram.admit_singles(p_account bigint, p_term bigint, p_max_attempts int, p_jobs uuid[], p_contacts bigint[])
returns table (
    job_id uuid, decision text, ledger_state text, attempt int, network_failures int,
    first_at timestamptz, last_at timestamptz, decided_at timestamptz,
    sent_body text, telegram_message_id bigint, code text, message text,
    workspace_id bigint, template text, first_name text, last_name text, columns jsonb,
    contact_user_id bigint, contact_handle text, contact_phone_sealed bytea, contact_phone_hash bytea,
    peer_user_id bigint, peer_access_hash bigint,
    reference text, entity_id text, application_id text)
language plpgsql as $$
#variable_conflict use_column
begin
    perform telegram.demand_term(p_account, p_term);
    return query
    with job as (
        select * from unnest(p_jobs, p_contacts) as j (job_id, contact_id)
    ),
    judged as (
        select j.job_id, j.contact_id, s.state as ledger_state,
               case when s.state in ('accepted', 'refused', 'dropped') then 'final'
                    when c.id is null or c.deleted_at is not null then 'gone'
                    when t.account_id <> p_account or s.account_id <> p_account then 'foreign'
                    when exists (select from control.suppressions x where x.workspace_id = c.workspace_id
                                  and (x.telegram_user_id in (t.telegram_user_id, e.telegram_user_id)
                                       or x.handle in (t.handle, e.handle)
                                       or x.phone_hash in (t.phone_hash, e.phone_hash)
                                       or x.person_hash = any (t.person_hashes))) then 'suppressed'
                    when s.job_id is null and t.created_at < now() - interval '1 hour' then 'expired'
                    when s.attempt >= p_max_attempts then 'exhausted'
                    else 'send' end as decision,
               f.workspace_id, c.body as template, t.first_name, t.last_name, t.columns,
               t.telegram_user_id as contact_user_id, t.handle as contact_handle,
               t.phone_sealed as contact_phone_sealed, t.phone_hash as contact_phone_hash,
               e.telegram_user_id as peer_user_id, e.access_hash as peer_access_hash,
               c.reference, c.entity_id, c.application_id
          from job j
          join telegram.fences f on f.account_id = p_account
          left join telegram.sends s on s.job_id = j.job_id
          left join control.single_sends t on t.job_id = j.job_id and t.workspace_id = f.workspace_id
          left join control.campaigns c on c.id = t.campaign_id and c.workspace_id = f.workspace_id
          left join lateral (
              select q.telegram_user_id, q.access_hash, q.handle, q.phone_hash from telegram.peers q
               where q.account_id = p_account
                 and (q.telegram_user_id = t.telegram_user_id or q.handle = t.handle or q.phone_hash = t.phone_hash)
               order by (q.telegram_user_id = t.telegram_user_id) desc nulls last, (q.handle = t.handle) desc nulls last
               limit 1) e on true
    ),
    entered as (
        insert into telegram.sends as s (job_id, workspace_id, campaign_id, account_id, contact_id, step, state, attempt, term,
                                         code, message, first_at, last_at, decided_at)
        select g.job_id, g.workspace_id, 0, p_account, g.contact_id, 0,
               case g.decision when 'send' then 'sending' else 'dropped' end,
               case g.decision when 'send' then 1 else 0 end, p_term,
               case g.decision when 'send' then null else upper(g.decision) end,
               case g.decision when 'suppressed' then 'The person is on the suppression list.'
                               when 'expired' then 'The test could not be sent within an hour.'
                               when 'gone' then 'The campaign no longer exists.' end,
               clock_timestamp(), clock_timestamp(), case g.decision when 'send' then null else clock_timestamp() end
          from judged g
         where g.decision = 'send' or g.decision in ('suppressed', 'gone', 'expired') and g.ledger_state is null
         order by g.job_id
        on conflict (job_id) do update
           set attempt = s.attempt + 1, term = excluded.term, last_at = excluded.last_at
         where s.state = 'sending' and excluded.state = 'sending' and s.term <= excluded.term
        returning s.job_id, s.state, s.attempt, s.network_failures, s.first_at, old.last_at, s.decided_at, s.body,
                  s.telegram_message_id, s.code, s.message
    )
    select g.job_id, g.decision, coalesce(n.state, s.state), coalesce(n.attempt, s.attempt, 0),
           coalesce(n.network_failures, s.network_failures, 0), coalesce(n.first_at, s.first_at),
           coalesce(n.last_at, s.last_at), coalesce(n.decided_at, s.decided_at), coalesce(n.body, s.body),
           coalesce(n.telegram_message_id, s.telegram_message_id), coalesce(n.code, s.code), coalesce(n.message, s.message),
           g.workspace_id, g.template, g.first_name, g.last_name, g.columns, g.contact_user_id, g.contact_handle,
           g.contact_phone_sealed, g.contact_phone_hash, g.peer_user_id, g.peer_access_hash,
           g.reference, g.entity_id, g.application_id
      from judged g
      left join entered n on n.job_id = g.job_id
      left join telegram.sends s on s.job_id = g.job_id;
end
$$;
revoke execute on function telegram.admit, telegram.admit_singles from public;
grant execute on function telegram.admit, telegram.admit_singles to relaygram_gateway;
