"""What api processes share about requests: rate limits, failed log-ins, answers kept for idempotency keys."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0008_pre_requests"
down_revision = "0007_pre_write_messages"


def upgrade() -> None:
    run_sql_beside(__file__)
