"""Messages to one person outside any run: tests, opt-out confirmations."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0011_pre_single_sends"
down_revision = "0010_pre_people"


def upgrade() -> None:
    run_sql_beside(__file__)
