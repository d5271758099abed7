-- name: due_starts
-- Drafts whose time has come: those that can start ($2: within how many seconds), and those that are too late, with why.
-- What transition() would refuse is not among them, so that it is in nobody's way.
select s.workspace_id, s.id, s.scheduled_at, s.late,
       case when s.total_contacts = 0 and s.mode = 'broadcast' then 'no_contacts'
            when s.importing then 'import_running'
            when s.unknown_tokens then 'unknown_tokens' else 'missed' end as why
  from (select c.*, c.scheduled_at < now() - make_interval(secs => $2) as late,
               cardinality(c.contact_columns) < 1000 and not c.asks_for <@ c.contact_columns as unknown_tokens,
               exists (select from control.imports i where i.campaign_id = c.id and i.status in ('queued', 'running')) as importing
          from control.campaigns c
         where c.status = 'draft' and c.scheduled_at <= now() and c.misfire is null and c.deleted_at is null) s
 where s.late or not s.importing and not s.unknown_tokens and (s.mode <> 'broadcast' or s.total_contacts > 0)
 order by s.scheduled_at limit $1

-- name: next_start
-- In how many seconds the next draft is to start.
select extract(epoch from min(c.scheduled_at) - clock_timestamp())::float8 from control.campaigns c
 where c.status = 'draft' and c.scheduled_at > now() and c.misfire is null and c.deleted_at is null

-- name: misfire
select control.misfire($1, $2, $3, $4)
