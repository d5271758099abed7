"""A run, the people of one page and the messages they get, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Run:
    """One campaign's run as the dispatcher that holds its lease sees it."""

    run_id: int
    campaign_id: int
    workspace_id: int
    account_id: int
    epoch: int
    status: str
    deleted: bool
    importing: bool
    contacts_generation: int
    expanded_generation: int | None
    jobs_made: int
    rows: int  # of the log
    pending: int
    finals: int
    last_revision: int
    limits: Mapping[str, Any]
    read_at: datetime  # by PostgreSQL's clock, as all due times
    mode: str = "broadcast"
    plan_changes: int = 0  # of delays and quiet hours
    planned_changes: int = 0  # of these, what due times show already
    followed_revision: int = 0
    has_steps: bool = False
    has_due: bool = False
    has_published: bool = False  # due rows whose job is made
    postponed: int = 0  # counted rows that are not jobs at this moment: put off, or to be made again
    again_at: datetime | None = None  # the first of them is due
    next_due_at: datetime | None = None  # the first of all rows that are not jobs
    next_is_quiet: bool = False
    next_send_at: datetime | None = None  # as people are told at this moment
    waiting_for: str | None = None
    account_waiting_for: str | None = None
    account_waits_until: datetime | None = None

    @property
    def expanded(self) -> bool:
        """Everybody known so far has a job or a due row; an auto-reply has nobody to write to first."""
        return self.mode != "broadcast" or self.expanded_generation == self.contacts_generation

    @property
    def ahead(self) -> int:
        """Jobs made and not decided, those aside that are put off."""
        return self.jobs_made - self.finals - self.postponed

    @property
    def progress(self) -> tuple[int, int]:
        """Stays the same while nothing happens."""
        return self.jobs_made, self.last_revision


@dataclass(frozen=True, slots=True)
class Contact:
    """One person of a campaign, without the phone."""

    id: int
    telegram_user_id: int | None
    handle: str | None
    first_name: str | None
    last_name: str | None
    columns: Mapping[str, str | None]
    quiet_until: datetime | None = None  # quiet hours reign where this person is


@dataclass(frozen=True, slots=True)
class Step:
    """One message of a sequence, as it stands now."""

    identity: int
    position: int
    body: str
    delay_seconds: int
    follow_ups: tuple[tuple[float, str], ...] = ()  # hours after the step, text
    content_type: str | None = "text"


@dataclass(frozen=True, slots=True)
class Content:
    """What the messages of a page share."""

    workspace_id: int
    campaign_id: int
    account_id: int
    run_id: int
    template: str
    sender: str | None
    reference: str | None
    entity_id: str | None
    application_id: str | None
    steps: tuple[Step, ...] = ()  # in order
    content_type: str | None = "text"  # of the template with what goes along
    scheduled: bool = False  # the campaign's schedule started it, and nobody else

    def told_trigger(self, trigger: str) -> str:
        """What the log calls a cause. Ids and due rows know nothing of schedules."""
        return "schedule" if self.scheduled and trigger == "broadcast" else trigger


@dataclass(frozen=True, slots=True)
class Due:
    """A due row: what becomes a job, and when."""

    job_id: UUID
    contact_id: int
    trigger: str
    step_identity: int
    step: int  # where it stood when the row was made
    follow_up: int | None
    due_at: datetime
    follows_at: datetime | None = None
    triggered_by_message_id: int | None = None
    expires_at: datetime | None = None
    counted: bool = False
    quiet: bool = False  # due_at is when quiet hours end


@dataclass(frozen=True, slots=True)
class Pending:
    """A message without an outcome in the log, and what the ledger says of it."""

    job_id: UUID
    contact_id: int
    step: int
    follow_up: int | None
    trigger: str
    sender: str | None
    destination: str | None
    body: str | None
    content_type: str | None
    queued_at: datetime
    position: int
    has_due: bool
    ledger_state: str | None
    attempt: int
    sent_body: str | None
    telegram_message_id: int | None
    code: str | None
    message: str | None
    decided_at: datetime | None
