"""What the log-writer is told by its environment."""

from pydantic import Field

from relaygram_common.settings import ServiceSettings


class LogWriterSettings(ServiceSettings):
    """The shared settings, the size of a batch, and how long the log is kept."""

    # Events written by one statement; twice as many are asked for ahead, so that the next batch is here in time.
    log_batch_size: int = Field(default=2000, ge=1, le=5000)
    # The longest pause between two tries while PostgreSQL or NATS is away.
    log_retry_cap_seconds: float = Field(default=2.0, gt=0)
    # Rows older than this leave the log; 0 keeps them for ever.
    log_retention_days: int = Field(default=0, ge=0, le=36_500)
