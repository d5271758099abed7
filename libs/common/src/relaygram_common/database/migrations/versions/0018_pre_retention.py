"""Rows leave the log when they are old."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0018_pre_retention"
down_revision = "0017_pre_limits"


def upgrade() -> None:
    run_sql_beside(__file__)
