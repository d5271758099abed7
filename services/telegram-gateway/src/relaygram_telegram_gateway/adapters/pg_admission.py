"""Jobs on their way into `telegram.admit`, and what it says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from relaygram_common.contracts.jobs import SendJob
from relaygram_telegram_gateway.core.peer_choice import Peer


@dataclass(frozen=True, slots=True)
class Admitted:
    """What admission says of one job, and what the send needs."""

    decision: str
    ledger_state: str | None
    attempt: int
    network_failures: int
    first_at: float | None  # seconds since 1970
    age_seconds: float
    is_retry: bool
    decided_at: datetime | None
    sent_body: str | None
    sent_chat: int | None
    telegram_message_id: int | None
    code: str | None
    message: str | None
    template: str | None
    attachments: tuple[int, ...]  # media that go with the text
    content_type: str | None  # None: nobody knows any more
    first_name: str | None
    last_name: str | None
    columns: Mapping[str, str | None]
    contact_user_id: int | None
    contact_handle: str | None
    contact_phone_sealed: bytes | None
    contact_phone_hash: bytes | None
    peer: Peer | None
    reference: str | None
    entity_id: str | None
    application_id: str | None
    quiet_until: datetime | None


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says and carries, from its first attempt on."""

    text: str
    media_id: int | None


def columns_of(jobs: Sequence[SendJob]) -> tuple[list[Any], ...]:
    """The jobs as `telegram.admit` takes them, in the order of its parameters."""
    return (
        [job.job_id for job in jobs],
        [job.campaign_id for job in jobs],
        [job.contact_id for job in jobs],
        [job.step for job in jobs],
        [job.step_identity for job in jobs],
        [job.follow_up for job in jobs],
        [job.trigger for job in jobs],
        [job.triggered_by_message_id for job in jobs],
        [job.expires_at for job in jobs],
    )


def admitted_from(row: asyncpg.Record) -> Admitted:
    """One row of its answer."""
    peer_known = row["peer_user_id"] is not None
    return Admitted(
        decision=row["decision"],
        ledger_state=row["ledger_state"],
        attempt=row["attempt"],
        network_failures=row["network_failures"],
        first_at=row["first_at_epoch"],
        age_seconds=row["age_seconds"] or 0.0,
        is_retry=row["last_at"] is not None,
        decided_at=row["decided_at"],
        sent_body=row["sent_body"],
        sent_chat=row["sent_chat"],
        telegram_message_id=row["telegram_message_id"],
        code=row["code"],
        message=row["message"],
        template=row["template"],
        attachments=tuple(row["attachments"] or ()),
        content_type=row["content_type"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        columns=row["columns"] or {},
        contact_user_id=row["contact_user_id"],
        contact_handle=row["contact_handle"],
        contact_phone_sealed=row["contact_phone_sealed"],
        contact_phone_hash=row["contact_phone_hash"],
        peer=Peer(row["peer_user_id"], row["peer_access_hash"]) if peer_known else None,
        reference=row["reference"],
        entity_id=row["entity_id"],
        application_id=row["application_id"],
        quiet_until=row["quiet_until"],
    )
