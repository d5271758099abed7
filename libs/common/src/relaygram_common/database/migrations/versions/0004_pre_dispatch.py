"""What is due. Only the dispatcher writes here."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0004_pre_dispatch"
down_revision = "0003_pre_transitions"


def upgrade() -> None:
    run_sql_beside(__file__)
