"""What sending a text and sending a file have in common."""

from typing import Any

from telethon.tl import types

from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.rpc.registry import Call
from relaygram_sandbox.world.account import Account, Message


def utf16_units(text: str) -> int:
    """How long a text is, as Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def earlier_message(call: Call, sender: Account, random_id: int) -> Message | None:
    """The message that this random_id made, as long as it is remembered."""
    remembered = sender.random_ids.get(random_id)
    if remembered is None:
        return None
    seq, accepted_at = remembered
    memory = call.telegram.world.settings.random_id_memory_seconds
    if memory is not None and call.request.arrived_at - accepted_at > memory:
        return None
    if call.telegram.world.settings.random_id_policy == "error":
        raise TelegramError("RANDOM_ID_DUPLICATE")
    call.is_duplicate = True
    return call.telegram.world.record.message(seq)


def answered_seq(call: Call, sender: Account, recipient: Account, reply_to: Any) -> int | None:
    """The seq of the message that is replied to."""
    if reply_to is None:
        return None
    found = None
    if isinstance(reply_to, types.InputReplyToMessage):
        found = call.telegram.world.record.by_message_id(sender, reply_to.reply_to_msg_id)
    if found is None or found.peer_of(sender.id) != recipient.id:
        raise TelegramError("REPLY_MESSAGE_ID_INVALID")
    return found.seq
