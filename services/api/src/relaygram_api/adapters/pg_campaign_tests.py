"""Test sends: their rows, and what is relayed for them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.campaign_tests import PHONE_OWNER, Recipient
from relaygram_api.core.messages import Message
from relaygram_api.core.person import address_hashes
from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.security.sealing import Sealer, SealError


async def contact(connection: Connection, sealer: Sealer, campaign_id: int, sender_id: int) -> Recipient | None:
    """A contact of the campaign; None when there is none."""
    row = await connection.fetchrow(sql["test_recipient"], campaign_id, sender_id)
    if row is None:
        return None
    values = dict(row)
    sealed = values.pop("phone_sealed")
    return Recipient(sender_id, phone=_opened(sealer, sealed, campaign_id), **values)


async def account(connection: Connection, account_id: int) -> dict[str, Any]:
    """The account that a campaign sends from, whatever became of it."""
    return dict(await connection.fetchrow(sql["test_account"], account_id))


async def add(
    connection: Connection, sealer: Sealer, campaign: dict[str, Any], message: Message, job: UUID, recipient: Recipient
) -> tuple[int, datetime, str | None] | None:
    """The row that the gateway sends by: its id, when it was made, what its content is. None: it is there already."""
    phone, user_id, handle = recipient.phone, recipient.telegram_user_id, recipient.handle
    phone_hash = sealer.fingerprint(phone) if phone else None
    hashes = address_hashes(sealer, [user_id] if user_id else [], [handle] if handle else [])
    row = await connection.fetchrow(
        sql["insert_test_send"],
        campaign["workspace_id"],
        campaign["id"],
        campaign["telegram_account_id"],
        job,
        user_id,
        handle,
        sealer.seal(phone, owner=PHONE_OWNER) if phone else None,
        phone_hash,
        recipient.first_name,
        recipient.last_name,
        dict(recipient.columns),
        [*hashes, *([phone_hash] if phone_hash else [])],
        None if message.is_body else message.template,
        list(message.attachments),
    )
    return None if row is None else (row["id"], row["created_at"], row["content_type"])


async def relay(connection: Connection, event: DeliveryEvent) -> None:
    """The event that makes the log's pending row, and the job of the same id; doubles do no harm."""
    body, headers = event.model_dump(mode="json"), event.headers
    await connection.execute(sql["relay_test_send"], event.workspace_id, event.subject, body, headers, event.job_id)


async def get(connection: Connection, campaign_id: int, job: UUID) -> dict[str, Any] | None:
    """A test and what became of it."""
    row = await connection.fetchrow(sql["get_test_send"], campaign_id, job)
    return dict(row) if row else None


def _opened(sealer: Sealer, sealed: bytes | None, campaign_id: int) -> str | None:
    if sealed is None:
        return None
    try:
        return sealer.open(sealed, owner=f"contact-phone:{campaign_id}")
    except SealError:
        return None  # under a key that is gone: the other addresses may do
