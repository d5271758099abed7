"""The requests that sending needs, and their answers read into our own words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from telethon.tl import functions, types

from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink
from relaygram_telegram_gateway.adapters.telethon_media import media_id_of
from relaygram_telegram_gateway.adapters.telethon_messages import written_in
from relaygram_telegram_gateway.core.arrivals import ReadUpTo, Written
from relaygram_telegram_gateway.core.peer_choice import Peer
from relaygram_telegram_gateway.core.random_id import random_id
from relaygram_telegram_gateway.core.sent_lookup import ChatMessage

SEND_MESSAGE = "messages.sendMessage"
RESOLVE_USERNAME = "contacts.resolveUsername"
IMPORT_CONTACTS = "contacts.importContacts"
GET_HISTORY = "messages.getHistory"

_PAGE = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A person as Telegram knows them now."""

    peer: Peer
    handle: str | None


def text_message(job: UUID, peer: Peer, text: str) -> Any:
    """The raw request: client.send_message has no place for our random_id."""
    return functions.messages.SendMessageRequest(
        peer=types.InputPeerUser(peer.user_id, peer.access_hash), message=text, random_id=random_id(job)
    )


def sent_message_id(answer: Any) -> int | None:
    """The id that Telegram gave the message."""
    if isinstance(answer, types.UpdateShortSentMessage):
        return int(answer.id)
    for update in getattr(answer, "updates", ()):
        if isinstance(update, types.UpdateMessageID):
            return int(update.id)
    return None


def username_request(handle: str) -> Any:
    """Who has this username?"""
    return functions.contacts.ResolveUsernameRequest(username=handle)


def import_request(phone: str) -> Any:
    """Who has this phone? Telegram only tells by making the person a contact."""
    contact = types.InputPhoneContact(client_id=0, phone=phone, first_name=phone, last_name="")
    return functions.contacts.ImportContactsRequest(contacts=[contact])


def delete_contact_request(peer: Peer) -> Any:
    """Take the person out of the contacts again."""
    return functions.contacts.DeleteContactsRequest(id=[types.InputUser(peer.user_id, peer.access_hash)])


def found_person(answer: Any) -> Found | None:
    """The person of a resolve or import answer; None when there is nobody. `users` may hold others besides."""
    if isinstance(answer, types.contacts.ResolvedPeer):
        wanted = getattr(answer.peer, "user_id", None)
    else:
        wanted = next((imported.user_id for imported in answer.imported), None)
    for user in answer.users:
        if isinstance(user, types.User) and user.id == wanted and user.access_hash is not None:
            return Found(Peer(user.id, user.access_hash), user.username.lower() if user.username else None)
    return None


def asks_for_patience(answer: Any) -> bool:
    """Whether Telegram put an import off: its quiet way to say that there were too many."""
    return bool(getattr(answer, "retry_contacts", ()))


async def history_page(
    link: TelegramLink, peer: Peer, *, before_id: int, timeout_seconds: float
) -> Sequence[ChatMessage]:
    """Up to 100 messages of a chat older than `before_id` (0: the newest), newest first."""
    answer = await link.ask(
        functions.messages.GetHistoryRequest(
            peer=types.InputPeerUser(peer.user_id, peer.access_hash),
            offset_id=before_id,
            offset_date=None,
            add_offset=0,
            limit=_PAGE,
            max_id=0,
            min_id=0,
            hash=0,
        ),
        timeout_seconds=timeout_seconds,
    )
    return [
        ChatMessage(
            message.id, bool(message.out), message.message or "", message.date.timestamp(), media_id_of(message)
        )
        for message in answer.messages
        if isinstance(message, types.Message)
    ]


async def read_up_to(link: TelegramLink, peers: Sequence[Peer], *, timeout_seconds: float) -> list[ReadUpTo]:
    """Up to which of our messages these people have read; who has read none is left out."""
    answer = await link.ask(
        functions.messages.GetPeerDialogsRequest(
            peers=[types.InputDialogPeer(types.InputPeerUser(peer.user_id, peer.access_hash)) for peer in peers]
        ),
        timeout_seconds=timeout_seconds,
    )
    now = datetime.now(UTC)
    return [
        ReadUpTo(dialog.peer.user_id, dialog.read_outbox_max_id, now)
        for dialog in answer.dialogs
        if isinstance(dialog.peer, types.PeerUser) and dialog.read_outbox_max_id
    ]


async def message_from(link: TelegramLink, peer: Peer, message_id: int, *, timeout_seconds: float) -> Written | None:
    """A person's message out of the chat with them; None when it is no longer there."""
    answer = await link.ask(
        functions.messages.GetHistoryRequest(
            peer=types.InputPeerUser(peer.user_id, peer.access_hash),
            offset_id=message_id + 1,
            offset_date=None,
            add_offset=0,
            limit=1,
            max_id=0,
            min_id=0,
            hash=0,
        ),
        timeout_seconds=timeout_seconds,
    )
    people = {user.id: user for user in answer.users if isinstance(user, types.User)}
    found = [message for message in answer.messages if message.id == message_id]
    return written_in(types.UpdateNewMessage(found[0], 0, 0), people) if found else None
