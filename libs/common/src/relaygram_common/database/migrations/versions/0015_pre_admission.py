"""May this message be sent, as things stand now?"""

from relaygram_common.database.migrations import run_sql_beside

revision = "0015_pre_admission"
down_revision = "0014_pre_inbound"


def upgrade() -> None:
    run_sql_beside(__file__)
