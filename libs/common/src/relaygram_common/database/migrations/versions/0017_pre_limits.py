"""People whom Telegram's answers put on the suppression list, and who come off it by writing."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0017_pre_limits"
down_revision = "0016_pre_receipts"


def upgrade() -> None:
    run_sql_beside(__file__)
