"""One message to one person, to see how a campaign looks."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0011_pre_test_sends"
down_revision = "0010_pre_people"


def upgrade() -> None:
    run_sql_beside(__file__)
