"""What the dispatcher is told by its environment."""

from pydantic import Field, field_validator

from relaygram_common.settings import ServiceSettings
from relaygram_common.templates import text_problem
from relaygram_dispatcher.core.opt_out import DEFAULT_WORDS


class DispatcherSettings(ServiceSettings):
    """The shared settings, and how far and how often the dispatcher works ahead."""

    # A run belongs to the dispatcher that holds its lease; another one takes it this long after the last renewal.
    run_lease_seconds: float = Field(default=8.0, gt=0)
    # How often runs are looked at: what is due, what is complete. A command makes it look at once.
    run_poll_seconds: float = Field(default=1.0, gt=0)
    # Broadcasts worked on at the same moment, of all that this dispatcher holds, and as many auto-replies.
    concurrent_runs: int = Field(default=8, ge=1, le=100)
    page_size: int = Field(default=500, ge=1, le=5000)
    # Jobs made and not decided yet, per run: bounds what a stop has to discard and what an edit comes too late for.
    max_jobs_ahead: int = Field(default=10_000, ge=1)
    max_seconds_ahead: float = Field(default=900.0, gt=0)
    # A running campaign with an empty queue and no progress for this long gets its undecided jobs again.
    reconcile_after_seconds: float = Field(default=10.0, gt=0)
    # A campaign whose scheduled time is longer ago than this does not start by itself any more.
    misfire_grace_seconds: float = Field(default=3600.0, ge=1)
    # How often queues that nobody will ever work off are looked for.
    sweep_seconds: float = Field(default=30.0, gt=0)
    # An auto-reply campaign answers the same person at most once in this time: else two bots would talk for ever.
    auto_reply_cooldown_seconds: float = Field(default=60.0, ge=0, le=30 * 86_400)
    # An answer that could not be sent within this time of the message is not sent any more.
    max_trigger_age_seconds: float = Field(default=86_400.0, gt=0, le=30 * 86_400)
    # Of several matching auto-reply campaigns of an account the oldest answers, or all.
    auto_reply_all_campaigns: bool = False
    # Separated by commas. Who sends one of them, and nothing else, gets no more messages.
    opt_out_words: str = ",".join(DEFAULT_WORDS)
    # What they are answered, once; empty: nothing.
    opt_out_confirmation: str = "You will get no more messages from us."

    @field_validator("opt_out_confirmation")
    @classmethod
    def _sendable(cls, text: str) -> str:
        if "{{" in text or "\0" in text:
            raise ValueError("must be plain text, without {{tokens}}")
        if text and (problem := text_problem(text)):
            raise ValueError(problem)
        return text
