"""Writes a batch of events, at most one per (campaign, job): rows, feeds and counters in one round trip."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0007_pre_write_messages"
down_revision = "0006_pre_delivery"


def upgrade() -> None:
    run_sql_beside(__file__)
