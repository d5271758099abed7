"""A windowed publisher: many messages on the wire at once, each acknowledged, what is not is published again.

Measured against awaiting each acknowledgement: about 20 times the rate. All acknowledgements come to one inbox; the
last token of the reply subject is the message's slot.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription


class PublishError(Exception):
    """Not every message was acknowledged within the tries allowed; some may have been stored."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish."""

    subject: str
    payload: bytes
    headers: Mapping[str, str] | None = None


@dataclass(slots=True)
class _Batch:
    waiting: dict[int, Outgoing] = field(default_factory=dict)  # on the wire, by slot
    refused: list[Outgoing] = field(default_factory=list)
    refusal: str = "no acknowledgement"
    answered: asyncio.Event = field(default_factory=asyncio.Event)  # nothing is waiting any more


class WindowPublisher:
    """Publishes batches to JetStream and returns when the server has stored each message."""

    def __init__(self, client: Client, *, window: int = 2000, ack_timeout_seconds: float = 5.0, tries: int = 8) -> None:
        self._client = client
        self._window = asyncio.Semaphore(window)
        self._ack_timeout = ack_timeout_seconds
        self._tries = tries
        self._inbox = client.new_inbox()
        self._next_slot = 0
        self._slots: dict[int, _Batch] = {}
        self._subscription: Subscription | None = None

    @property
    def largest_payload(self) -> int:
        """Bytes that the server takes in one message, headers included."""
        return self._client.max_payload

    async def start(self) -> None:
        """Listen for acknowledgements."""
        self._subscription = await self._client.subscribe(
            f"{self._inbox}.*", cb=self._on_ack, pending_msgs_limit=-1, pending_bytes_limit=-1
        )

    async def stop(self) -> None:
        """Stop listening; what is still open fails at its timeout."""
        if self._subscription is not None and self._client.is_connected:
            await self._subscription.unsubscribe()

    async def reconnected(self) -> None:
        """The server forgot what was on the wire: publish it again now rather than at the timeout."""
        for slot in list(self._slots):
            self._answer(slot, refusal="the connection was lost")

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Publish all and wait for all acknowledgements; what gets none is published again, at most `tries` times.

        Receivers must be idempotent: a message whose acknowledgement was lost is stored twice. Raises PublishError.
        """
        remaining, refusal = list(messages), ""
        for attempt in range(self._tries):
            if not remaining:
                return
            if attempt:
                await asyncio.sleep(min(0.05 * 2**attempt, 1.0))
            remaining, refusal = await self._publish_once(remaining)
        if remaining:
            raise PublishError(f"{len(remaining)} of {len(messages)} messages to {remaining[0].subject}: {refusal}")

    async def _publish_once(self, messages: list[Outgoing]) -> tuple[list[Outgoing], str]:
        batch, begun = _Batch(), 0
        try:
            async with asyncio.timeout(self._ack_timeout):
                for message in messages:
                    await self._window.acquire()
                    begun += 1
                    await self._send(batch, message)
                while batch.waiting:
                    batch.answered.clear()
                    await batch.answered.wait()
        except (TimeoutError, nats.errors.Error) as error:
            batch.refusal = str(error) or batch.refusal
        finally:
            for slot in batch.waiting:
                del self._slots[slot]
                self._window.release()
        return [*batch.refused, *batch.waiting.values(), *messages[begun:]], batch.refusal

    async def _send(self, batch: _Batch, message: Outgoing) -> None:
        slot = self._next_slot
        self._next_slot += 1
        self._slots[slot] = batch
        batch.waiting[slot] = message
        headers = dict(message.headers) if message.headers else None
        await self._client.publish(message.subject, message.payload, reply=f"{self._inbox}.{slot}", headers=headers)

    async def _on_ack(self, message: Msg) -> None:
        self._answer(int(message.subject.rpartition(".")[2]), refusal=_refusal(message))

    def _answer(self, slot: int, *, refusal: str | None) -> None:
        batch = self._slots.pop(slot, None)
        if batch is None:
            return  # answered after its timeout; it was published again
        self._window.release()
        message = batch.waiting.pop(slot)
        if refusal is not None:
            batch.refused.append(message)
            batch.refusal = refusal
        if not batch.waiting:
            batch.answered.set()


def _refusal(message: Msg) -> str | None:
    """Why the server did not store the message; None when it did. The answer to an `+ACK` is empty."""
    if message.headers and message.headers.get("Status") == "503":
        return "no stream or consumer takes this subject"
    if not message.data:
        return None
    error = orjson.loads(message.data).get("error")
    return str(error.get("description", error)) if error else None
