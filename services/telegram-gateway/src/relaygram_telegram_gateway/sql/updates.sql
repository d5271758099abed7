-- name: update_state
-- Up to where everything was published.
select pts, qts, date, seq from telegram.update_states where account_id = $1;

-- name: save_update_state
-- Everything before it is published and acknowledged.
insert into telegram.update_states (account_id, workspace_id, pts, qts, date, seq) values ($1, $2, $3, $4, $5, $6)
on conflict (account_id) do update
   set pts = excluded.pts, qts = excluded.qts, date = excluded.date, seq = excluded.seq, updated_at = now();

-- name: forget_update_state
-- After logging out: what comes while nobody is logged in is no message to us.
delete from telegram.update_states where account_id = $1;

-- name: note_inbound
-- Before anybody is told of it: what goes to these people waits until it is decided. What was not decided of their
-- earlier messages is kept, a hundred of each person at most.
insert into telegram.last_inbound as l (account_id, workspace_id, telegram_user_id, message_id, date, undecided)
select $1, $2, n.telegram_user_id, max(n.message_id), max(n.date), array_agg(n.message_id order by n.message_id)
  from unnest($3::int8[], $4::int8[], $5::timestamptz[]) as n (telegram_user_id, message_id, date)
 group by n.telegram_user_id
 order by n.telegram_user_id
on conflict (account_id, telegram_user_id) do update
   set message_id = greatest(l.message_id, excluded.message_id),
       date = greatest(l.date, excluded.date),
       undecided = (select coalesce(array_agg(u.message_id order by u.message_id), '{}')
                      from (select distinct m.message_id from unnest(l.undecided || excluded.undecided) as m (message_id)
                             where not exists (select from dispatch.inbound d
                                                where d.account_id = l.account_id and d.message_id = m.message_id)
                             order by m.message_id limit 100) u);

-- name: recent_chats
-- People who got one of the last messages, and the newest of each: those who may have read what we do not know of.
select c.telegram_user_id, p.access_hash, c.newest
  from (select s.telegram_user_id, max(s.telegram_message_id) as newest
          from (select x.telegram_user_id, x.telegram_message_id from telegram.sends x
                 where x.account_id = $1 and x.telegram_message_id is not null
                 order by x.telegram_message_id desc limit $2::int8) s
         where s.telegram_user_id is not null
         group by s.telegram_user_id) c
  join telegram.peers p on p.account_id = $1 and p.telegram_user_id = c.telegram_user_id
 order by c.newest desc;

-- name: undecided
-- What nobody decided for long; the newest of a person among it.
select distinct l.telegram_user_id, p.access_hash, u.message_id
  from telegram.last_inbound l
  join telegram.peers p on p.account_id = l.account_id and p.telegram_user_id = l.telegram_user_id
 cross join lateral unnest(l.undecided || l.message_id) as u (message_id)
 where l.account_id = $1 and l.date > now() - interval '14 days' and l.date < now() - make_interval(secs => $2::float8)
   and not exists (select from dispatch.inbound d where d.account_id = l.account_id and d.message_id = u.message_id)
 order by u.message_id
 limit $3::int8;
