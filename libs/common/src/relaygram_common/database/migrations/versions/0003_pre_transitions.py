"""The state tables, as data, and the functions that are the only way through them."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0003_pre_transitions"
down_revision = "0002_pre_control"


def upgrade() -> None:
    run_sql_beside(__file__)
