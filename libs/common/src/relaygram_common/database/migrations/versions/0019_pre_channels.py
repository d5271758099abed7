"""The log of all channels: reading by channel and time, and delivery events of other gateways."""

from relaygram_common.database.migrations import run_sql_beside

revision = "0019_pre_channels"
down_revision = "0018_pre_retention"


def upgrade() -> None:
    run_sql_beside(__file__)
