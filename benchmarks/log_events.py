"""Delivery events as the gateway publishes them, and a stream filled with them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import nats

from relaygram_common.contracts.delivery import DeliveryError, DeliveryEvent, delivery_event
from relaygram_common.contracts.ids import job_id
from relaygram_common.contracts.states import MessageState
from relaygram_common.jetstream.publisher import Outgoing, WindowPublisher

CAMPAIGNS = 5  # take turns, so that every batch has rows of each
_AT_ONCE = 2000
_FAILED_EACH = 10  # every tenth is refused
_BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
_BODY = (
    "Hello {name}, the summer sale starts on Friday: 20 % off everything, only for you. See you there! Reader {number}."
)


def job(number: int) -> UUID:
    """The id of the message with this number."""
    return job_id("broadcast", number % CAMPAIGNS + 1, number)


def event(number: int, state: MessageState) -> DeliveryEvent:
    """What became of message `number`, with its whole row."""
    is_sent, made_at = state is MessageState.SENT, _BEGAN + timedelta(milliseconds=number)
    refused = DeliveryError(code="USER_PRIVACY_RESTRICTED", message="This person's privacy settings refuse it.")
    return delivery_event(
        job=job(number),
        state=state,
        attempt=0 if state is MessageState.QUEUED else 1,
        occurred_at=made_at + timedelta(seconds=2),
        workspace_id=1,
        campaign_id=number % CAMPAIGNS + 1,
        account_id=3,
        sender_id=number + 1,
        run_id=5,
        sender="@shop",
        destination=f"@reader_{number:07d}",
        step=0,
        trigger="broadcast",
        body=_BODY.format(name="Ann", number=number),
        content_type="text",
        queued_at=made_at,
        recipient_id=10_000_000 + number if is_sent else None,
        telegram_message_id=number + 1 if is_sent else None,
        error=refused if state is MessageState.FAILED else None,
        reference="spring",
    )


def final_events(first: int, count: int) -> Iterator[DeliveryEvent]:
    """One event a message: each makes a row."""
    for number in range(first, first + count):
        yield event(number, MessageState.SENT if number % _FAILED_EACH else MessageState.FAILED)


async def fill_stream(nats_url: str, first: int, count: int) -> None:
    """Publish them as the gateway does, headers and all."""
    client = await nats.connect(nats_url)
    publisher = WindowPublisher(client)
    await publisher.start()
    try:
        page: list[Outgoing] = []
        for one in final_events(first, count):
            page.append(Outgoing(one.subject, one.model_dump_json().encode(), one.headers))
            if len(page) == _AT_ONCE:
                await publisher.publish(page)
                page = []
        await publisher.publish(page)
    finally:
        await client.close()
