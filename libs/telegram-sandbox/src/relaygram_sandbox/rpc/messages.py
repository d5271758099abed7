"""messages.*: sending text and reading."""

from typing import Any

from telethon.tl import functions, types

from relaygram_sandbox import clock
from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.rpc.registry import Call, answers
from relaygram_sandbox.rpc.sending import answered_seq, earlier_message, utf16_units
from relaygram_sandbox.tl import vector
from relaygram_sandbox.world.account import Message

_MAX_UTF16_UNITS = 4096


def _check_text(text: str) -> None:
    if not text.strip():
        raise TelegramError("MESSAGE_EMPTY")
    if utf16_units(text) > _MAX_UTF16_UNITS:
        raise TelegramError("MESSAGE_TOO_LONG")


def _sent(message: Message, request: Any) -> Any:
    return types.UpdateShortSentMessage(
        message.from_message_id,
        message.from_pts,
        1,
        clock.as_datetime(message.date),
        out=True,
        entities=request.entities,
    )


@answers(functions.messages.SendMessageRequest)
def send_message(call: Call, request: Any) -> Any:
    """Accept a text, unless Telegram would not."""
    sender = call.account
    recipient = call.user(request.peer)
    earlier = earlier_message(call, sender, request.random_id)
    if earlier is not None:
        return _sent(earlier, request)
    call.telegram.refuse_unless_writable(sender, recipient)
    _check_text(request.message)
    call.telegram.refuse_beyond_limits(sender, recipient, call.request.arrived_at)
    message = call.telegram.accept(
        sender,
        recipient,
        request.message,
        random_id=request.random_id,
        arrived_at=call.request.arrived_at,
        reply_to=answered_seq(call, sender, recipient, request.reply_to),
        entities=vector(request.entities) if request.entities else None,
        session=call.request.session,
    )
    return _sent(message, request)


@answers(functions.messages.ReadHistoryRequest, allows_bots=False)
def read_history(call: Call, request: Any) -> Any:
    """The account has read a conversation; the other side is told."""
    peer = call.user(request.peer)
    before = call.account.pts
    pts = call.telegram.read_history(call.account, peer, request.max_id or None)
    return types.messages.AffectedMessages(pts, pts - before)
