"""The queues of SEND_JOBS, by subject: how much waits, purge, and what nobody will consume."""

from collections.abc import Callable

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from relaygram_common.jetstream.dead_letters import dead_letter_stored
from relaygram_common.jetstream.publisher import WindowPublisher
from relaygram_common.topology import SEND_JOBS

_TIMEOUT_SECONDS = 5.0
_MOST_AT_ONCE = 1000  # messages of a queue that are looked at in one sweep


class NatsQueues:
    """Raises nats.errors.Error when the server or the stream is away."""

    def __init__(self, client: Client, publisher: WindowPublisher) -> None:
        self._js = client.jetstream(timeout=_TIMEOUT_SECONDS)
        self._publisher = publisher

    async def waiting(self, account_id: int, campaign_id: int) -> int:
        """Jobs not acknowledged yet, delivered or not: a work queue keeps a message until its acknowledgement."""
        subject = f"send.job.{account_id}.{campaign_id}"
        return (await self._subjects(subject)).get(subject, 0)

    async def all(self) -> dict[str, int]:
        """Every subject with messages."""
        return await self._subjects("send.job.>")

    async def purge(self, subject: str) -> None:
        """Drop what waits."""
        await self._js.purge_stream(SEND_JOBS, subject=subject)

    async def put_away(self, subject: str, *, reason_of: Callable[[bytes], str | None]) -> tuple[int, int]:
        """Empty a queue: what has a reason goes to DEAD_LETTERS with it, the rest is dropped; how many each.

        At most so many at once; the next sweep goes on.
        """
        moved = dropped = 0
        while moved + dropped < _MOST_AT_ONCE:
            try:
                message = await self._js.get_msg(SEND_JOBS, seq=1, subject=subject, next=True)
            except NotFoundError:
                break
            sequence, payload = message.seq or 0, message.data or b""
            reason = reason_of(payload)
            if reason is None:
                dropped += 1
            else:
                moved += 1
                await dead_letter_stored(
                    self._publisher,
                    stream=SEND_JOBS,
                    sequence=sequence,
                    subject=subject,
                    headers=message.headers,
                    payload=payload,
                    reason=reason,
                )
            await self._js.delete_msg(SEND_JOBS, sequence)
        return moved, dropped

    async def _subjects(self, pattern: str) -> dict[str, int]:
        state = (await self._js.stream_info(SEND_JOBS, subjects_filter=pattern)).state
        return dict(state.subjects or {})
