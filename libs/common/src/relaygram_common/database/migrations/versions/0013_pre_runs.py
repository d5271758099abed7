"""Runs: what the dispatcher asks of PostgreSQL as functions."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0013_pre_runs"
down_revision = "0012_pre_engine"


def upgrade() -> None:
    run_sql_beside(__file__)
