-- name: version_number
select current_setting('server_version_num')::int

-- name: version_text
select current_setting('server_version')

-- name: has_migrations
-- Alembic's own table is not there before the first migration.
select to_regclass('public.alembic_version') is not null

-- name: migration
select version_num from public.alembic_version

-- name: roles
-- Those of the services that are there and may log in.
select rolname from pg_roles where rolname = any($1::text[]) and rolcanlogin

-- name: clock
select clock_timestamp()
