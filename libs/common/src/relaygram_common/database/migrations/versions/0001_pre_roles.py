"""A schema per owner, a role per service. Roles belong to the whole cluster, so they may exist already."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0001_pre_roles"
down_revision = None


def upgrade() -> None:
    run_sql_beside(__file__)
