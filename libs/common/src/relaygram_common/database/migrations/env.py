"""Alembic's entry: all missing migrations in one transaction, one migrator at a time."""

from alembic import context
from sqlalchemy import create_engine, pool, text

engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
with engine.begin() as connection:
    # Several replicas may start at once: the second waits here and finds nothing left to do.
    connection.execute(text("select pg_advisory_xact_lock(7205759404)"))
    context.configure(connection=connection)
    context.run_migrations()
