"""Erasing a person, and the hash that stays."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0010_pre_people"
down_revision = "0009_pre_audit"


def upgrade() -> None:
    run_sql_beside(__file__)
