"""Who read and who replied."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0016_pre_receipts"
down_revision = "0015_pre_admission"


def upgrade() -> None:
    run_sql_beside(__file__)
