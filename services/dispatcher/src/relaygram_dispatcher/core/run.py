"""A run and the people of one page, as values."""

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

    @property
    def expanded(self) -> bool:
        """Everybody known so far has a job."""
        return self.expanded_generation == self.contacts_generation

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


@dataclass(frozen=True, slots=True)
class Pending:
    """A message without an outcome in the log, and what the ledger says of it."""

    job_id: UUID
    contact_id: int
    step: int
    trigger: str
    sender: str | None
    destination: str | None
    body: str | None
    queued_at: datetime
    position: int
    ledger_state: str | None
    attempt: int
    sent_body: str | None
    telegram_message_id: int | None
    code: str | None
    message: str | None
    decided_at: datetime | None
