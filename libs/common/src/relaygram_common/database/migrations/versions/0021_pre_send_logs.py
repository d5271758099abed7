"""Sends: one for each campaign, step and start."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0021_pre_send_logs"
down_revision = "0020_pre_streams"


def upgrade() -> None:
    run_sql_beside(__file__)
