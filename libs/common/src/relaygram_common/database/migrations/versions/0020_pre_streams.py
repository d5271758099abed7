"""Live logs: tickets for browsers."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0020_pre_streams"
down_revision = "0019_pre_channels"


def upgrade() -> None:
    run_sql_beside(__file__)
