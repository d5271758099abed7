"""People's messages as Telegram has them, read into our own words; and out of the chats, where nothing else tells."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from telethon import errors
from telethon.tl import functions, types

from relaygram_telegram_gateway.core.arrivals import Written

log = structlog.get_logger(__name__)

# Telegram's own account: it sends log-in codes, which are nobody's business.
_TELEGRAM_ITSELF = 777000
# After a gap that was too long, so many chats and messages of each are read.
_PAGE, _MAX_PAGES = 100, 5
# How far the date of a kept state may be ahead of what was published.
_MARGIN = timedelta(seconds=60)

Ask = Callable[[Any], Awaitable[Any]]


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


async def written_since(ask: Ask, since: datetime) -> list[Written]:
    """What people wrote since then, out of the chats; the oldest first. Bots can not look."""
    try:
        chats = await _chats_since(ask, since - _MARGIN)
        found = [one for person in chats for one in await _messages_since(ask, person, since - _MARGIN)]
    except errors.BotMethodInvalidError:
        log.error("updates.lost", since=since.isoformat())
        return []
    return sorted(found, key=lambda one: one.message_id)


async def _chats_since(ask: Ask, since: datetime) -> list[Any]:
    """People with whom there was anything, the last first."""
    people: list[Any] = []
    offset_date, offset_id, offset_peer = None, 0, types.InputPeerEmpty()
    for _ in range(_MAX_PAGES):
        page = await ask(
            functions.messages.GetDialogsRequest(
                offset_date=offset_date, offset_id=offset_id, offset_peer=offset_peer, limit=_PAGE, hash=0
            )
        )
        known = {user.id: user for user in page.users if isinstance(user, types.User)}
        dates = {message.id: message.date for message in page.messages}
        for dialog in page.dialogs:
            person = known.get(getattr(dialog.peer, "user_id", 0))
            if person is not None and dates.get(dialog.top_message, since) >= since:
                people.append(person)
        last = page.messages[-1] if page.messages else None
        if len(page.dialogs) < _PAGE or last is None or last.date < since:
            break
        offset_date, offset_id = last.date, last.id
    return people


async def _messages_since(ask: Ask, person: Any, since: datetime) -> list[Written]:
    found: list[Written] = []
    offset_id = 0
    for _ in range(_MAX_PAGES):
        page = await ask(
            functions.messages.GetHistoryRequest(
                peer=types.InputPeerUser(person.id, person.access_hash or 0), offset_id=offset_id, offset_date=None,
                add_offset=0, limit=_PAGE, max_id=0, min_id=0, hash=0,
            )
        )  # fmt: skip
        news = [message for message in page.messages if message.date >= since]
        updates = [types.UpdateNewMessage(message, 0, 0) for message in news]
        found += [one for update in updates if (one := written_in(update, {person.id: person})) is not None]
        if len(news) < _PAGE:
            break
        offset_id = news[-1].id
    return found


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
