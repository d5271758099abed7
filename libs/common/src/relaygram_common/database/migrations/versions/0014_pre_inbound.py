"""What follows from what people write."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0014_pre_inbound"
down_revision = "0013_pre_runs"


def upgrade() -> None:
    run_sql_beside(__file__)
