"""What the dispatcher is told by its environment."""

from pydantic import Field

from relaygram_common.settings import ServiceSettings


class DispatcherSettings(ServiceSettings):
    """The shared settings, and how far and how often the dispatcher works ahead."""

    # A run belongs to the dispatcher that holds its lease; another one takes it this long after the last renewal.
    run_lease_seconds: float = Field(default=8.0, gt=0)
    # How often runs are looked at: what is due, what is complete. A command makes it look at once.
    run_poll_seconds: float = Field(default=1.0, gt=0)
    # Runs worked on at the same moment, of all that this dispatcher holds.
    concurrent_runs: int = Field(default=8, ge=1, le=100)
    page_size: int = Field(default=500, ge=1, le=5000)
    # Jobs made and not decided yet, per run: bounds what a stop has to discard and what an edit comes too late for.
    max_jobs_ahead: int = Field(default=10_000, ge=1)
    max_seconds_ahead: float = Field(default=900.0, gt=0)
    # A running campaign with an empty queue and no progress for this long gets its undecided jobs again.
    reconcile_after_seconds: float = Field(default=10.0, gt=0)
    # How often queues that nobody will ever work off are looked for.
    sweep_seconds: float = Field(default=30.0, gt=0)
