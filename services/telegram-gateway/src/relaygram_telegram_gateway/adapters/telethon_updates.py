"""Telethon's updates as batches, each with the state behind it.

A handler of Telethon's can not know which state is safe to keep: the client's own is already that of the whole batch
when its first update is handled, and read receipts that come out of a difference are dropped. So the batches are taken
where Telethon has put them in order, before it hands them out one by one.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from telethon import TelegramClient, errors
from telethon.tl import functions, types

from relaygram_telegram_gateway.core.arrivals import Arrivals, ReadUpTo, UpdateState, Written

log = structlog.get_logger(__name__)

# Telegram's own account: it sends log-in codes, which are nobody's business.
_TELEGRAM_ITSELF = 777000


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

    async def __call__(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """Telethon has no limit of time of its own, and says nothing when it gives a difference up."""
        if not isinstance(request, functions.updates.GetDifferenceRequest):
            return await super().__call__(request, *arguments, **options)
        try:
            async with asyncio.timeout(self._difference_seconds):
                answer = await super().__call__(request, *arguments, **options)
        except TimeoutError as error:
            self._give_up("no answer in time")
            raise ConnectionError("no difference in time") from error
        except errors.RPCError as error:
            self._give_up(type(error).__name__)
            raise
        if isinstance(answer, types.updates.DifferenceTooLong):
            log.error("updates.gap_too_long", from_pts=request.pts, to_pts=answer.pts)
            self._give_up("Telegram no longer knows what was missed")
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
        people = {user.id: user for user in users if isinstance(user, types.User)}
        written = tuple(one for update in updates if (one := written_in(update, people)) is not None)
        await self._listener.take(Arrivals(written, (*reads, *reads_in(updates)), self.update_state()))
        return []

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


def written_in(update: Any, people: Mapping[int, Any]) -> Written | None:
    """A person's message to the account; None for anything else: groups, channels, our own, Telegram's own."""
    if isinstance(update, types.UpdateShortMessage):
        message, from_id, media = update, update.user_id, None
    elif isinstance(update, types.UpdateNewMessage) and isinstance(update.message, types.Message):
        message, peer, media = update.message, update.message.peer_id, update.message.media
        from_id = peer.user_id if isinstance(peer, types.PeerUser) else 0
        sender = message.from_id
        if sender is not None and getattr(sender, "user_id", None) != from_id:
            return None
    else:
        return None
    person = people.get(from_id)
    if message.out or from_id in (0, _TELEGRAM_ITSELF) or (person is not None and person.is_self):
        return None
    text = update.message if isinstance(update, types.UpdateShortMessage) else message.message
    known = person is not None and not person.min  # the hash of a `min` person opens nothing
    return Written(
        message_id=message.id,
        from_id=from_id,
        date=message.date,
        text=(text or "").replace("\0", ""),
        media=_described(media),
        handle=person.username.lower() if person is not None and person.username else None,
        first_name=(person.first_name or "").replace("\0", "") or None if person is not None else None,
        access_hash=person.access_hash if known and person is not None else None,
    )


def reads_in(updates: Iterable[Any]) -> list[ReadUpTo]:
    """What people have read."""
    now = datetime.now(UTC)
    return [
        ReadUpTo(update.peer.user_id, update.max_id, now)
        for update in updates
        if isinstance(update, types.UpdateReadHistoryOutbox) and isinstance(update.peer, types.PeerUser)
    ]


def _described(media: Any) -> dict[str, Any] | None:
    """What kind of thing came with the text; the thing itself stays with Telegram."""
    if media is None or isinstance(media, types.MessageMediaEmpty | types.MessageMediaWebPage):
        return None
    document = media.document if isinstance(media, types.MessageMediaDocument) else None
    if isinstance(document, types.Document):
        names = [one.file_name for one in document.attributes if isinstance(one, types.DocumentAttributeFilename)]
        name = names[0].replace("\0", "") if names else None
        return {"kind": "document", "mime_type": document.mime_type, "size_bytes": document.size, "file_name": name}
    return {"kind": type(media).__name__.removeprefix("MessageMedia").lower()}
