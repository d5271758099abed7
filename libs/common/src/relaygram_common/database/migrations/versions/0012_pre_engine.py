"""What follows a campaign's first message: steps, what is due, what people write, media."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0012_pre_engine"
down_revision = "0011_pre_single_sends"


def upgrade() -> None:
    run_sql_beside(__file__)
