"""Who changed what, and when."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0009_pre_audit"
down_revision = "0008_pre_requests"


def upgrade() -> None:
    run_sql_beside(__file__)
