"""The gateway's own truth: what it sent, as whom, and who may write at all."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0005_pre_telegram"
down_revision = "0004_pre_dispatch"


def upgrade() -> None:
    run_sql_beside(__file__)
