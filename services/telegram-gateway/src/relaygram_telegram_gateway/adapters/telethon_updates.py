"""Telethon's updates as batches, each with the state behind it.

A handler of Telethon's can not know which state is safe to keep: the client's own is already that of the whole batch
when its first update is handled, and read receipts that come out of a difference are dropped. So the batches are taken
where Telethon has put them in order, before it hands them out one by one.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from telethon import TelegramClient, errors
from telethon.tl import functions, types

from relaygram_telegram_gateway.adapters.telethon_messages import written_in, written_since
from relaygram_telegram_gateway.core.arrivals import Arrivals, ReadUpTo, UpdateState, Written

log = structlog.get_logger(__name__)

# Reading the chats after a gap that was too long.
_CHATS_SECONDS = 300.0


class UpdateListener(Protocol):
    """Who takes what arrives on one connection."""

    async def take(self, arrivals: Arrivals) -> None:
        """Take a batch; waits while too much is in hand."""

    def not_caught_up(self, reason: str) -> None:
        """What was missed could not be fetched now."""


class UpdatesClient(TelegramClient):  # type: ignore[misc]  # Telethon ships no types
    """A client that hands its updates to a listener, if it has one."""

    def __init__(
        self, *arguments: Any, listener: UpdateListener | None, timeout_seconds: float, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._listener = listener
        self._difference_seconds = timeout_seconds
        self._reads: list[ReadUpTo] = []
        self._recovered: list[Written] = []

    async def __call__(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """Telethon has no limit of time of its own, and says nothing when it gives a difference up."""
        ask = super().__call__
        if not isinstance(request, functions.updates.GetDifferenceRequest):
            return await ask(request, *arguments, **options)
        try:
            async with asyncio.timeout(self._difference_seconds):
                answer = await ask(request, *arguments, **options)
            if isinstance(answer, types.updates.DifferenceTooLong):
                log.error("updates.gap_too_long", from_pts=request.pts, to_pts=answer.pts)
                async with asyncio.timeout(_CHATS_SECONDS):
                    self._recovered += await written_since(ask, request.date)
                self._give_up("there may be more behind the gap")
        except TimeoutError as error:
            self._give_up("no answer in time")
            raise ConnectionError("no difference in time") from error
        except errors.RPCError as error:
            self._give_up(type(error).__name__)
            raise
        self._reads += reads_in(getattr(answer, "other_updates", ()))
        return answer

    async def _preprocess_updates(
        self, updates: Sequence[Any], users: Sequence[Any], chats: Sequence[Any]
    ) -> list[Any]:
        """A batch in order; nothing of it is left for Telethon to dispatch."""
        self._mb_entity_cache.extend(users, chats)
        if self._listener is None:
            return []
        reads, self._reads = self._reads, []
        recovered, self._recovered = self._recovered, []
        state = self.update_state()
        people = {user.id: user for user in users if isinstance(user, types.User)}
        for update in updates:
            if isinstance(update, types.UpdateShortMessage) and not update.out and update.user_id not in people:
                people |= await self._people_of(update)
        written = [one for update in updates if (one := written_in(update, people)) is not None]
        await self._listener.take(Arrivals((*recovered, *written), (*reads, *reads_in(updates)), state))
        return []

    async def _people_of(self, update: Any) -> dict[int, Any]:
        """The short form does not say who wrote; the difference from right before it does."""
        request = functions.updates.GetDifferenceRequest(
            pts=update.pts - update.pts_count, date=update.date, qts=0, pts_total_limit=1
        )
        try:
            async with asyncio.timeout(self._difference_seconds):
                answer = await super().__call__(request)
        except (errors.RPCError, OSError, TimeoutError) as error:
            log.info("updates.person_unknown", error=type(error).__name__)
            return {}
        return {user.id: user for user in getattr(answer, "users", ()) if isinstance(user, types.User)}

    def _give_up(self, reason: str) -> None:
        if self._listener is not None:
            self._listener.not_caught_up(reason)

    def update_state(self) -> UpdateState | None:
        """Behind all batches that were handed over; None before the client has logged in."""
        state, _ = self._message_box.session_state()
        if not state["pts"]:
            return None
        return UpdateState(state["pts"], state["qts"], state["date"], state["seq"])


def begin_at(session: Any, state: UpdateState) -> None:
    """What came after this state is fetched when the client connects."""
    session.set_update_state(0, types.updates.State(state.pts, state.qts, state.date, state.seq, unread_count=0))


def reads_in(updates: Iterable[Any]) -> list[ReadUpTo]:
    """What people have read."""
    now = datetime.now(UTC)
    return [
        ReadUpTo(update.peer.user_id, update.max_id, now)
        for update in updates
        if isinstance(update, types.UpdateReadHistoryOutbox) and isinstance(update.peer, types.PeerUser)
    ]
