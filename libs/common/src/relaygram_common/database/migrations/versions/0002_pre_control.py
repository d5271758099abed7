"""Identities, accounts, campaigns, contacts: what people own. Written by the api; by others only through functions."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0002_pre_control"
down_revision = "0001_pre_roles"


def upgrade() -> None:
    run_sql_beside(__file__)
