"""The log. Written by the log-writer alone, under one lock, so that its feeds lose nothing."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0006_pre_delivery"
down_revision = "0005_pre_telegram"


def upgrade() -> None:
    run_sql_beside(__file__)
