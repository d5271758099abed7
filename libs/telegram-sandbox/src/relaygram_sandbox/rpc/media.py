"""messages.*: sending photos and documents, uploaded now or referred to, and preparing them without sending."""

import json
from typing import Any

from telethon.tl import functions, types

from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.rpc.registry import Call, answers
from relaygram_sandbox.rpc.sending import answered_seq, earlier_message, utf16_units
from relaygram_sandbox.tl import vector
from relaygram_sandbox.world.account import Account, Message
from relaygram_sandbox.world.files import StoredFile, Upload

_MAX_CAPTION_UNITS = 1024


@answers(functions.messages.SendMediaRequest)
def send_media(call: Call, request: Any) -> Any:
    """Accept a photo or document with its caption, unless Telegram would not."""
    sender = call.account
    recipient = call.user(request.peer)
    earlier = earlier_message(call, sender, request.random_id)
    if earlier is not None:
        return _sent(call, sender, earlier)
    call.telegram.refuse_unless_writable(sender, recipient)
    if utf16_units(request.message) > _MAX_CAPTION_UNITS:
        raise TelegramError("MEDIA_CAPTION_TOO_LONG")
    file = _file(call, sender, request.media)
    call.telegram.refuse_beyond_limits(sender, recipient, call.request.arrived_at)
    message = call.telegram.accept(
        sender,
        recipient,
        request.message,
        random_id=request.random_id,
        arrived_at=call.request.arrived_at,
        reply_to=answered_seq(call, sender, recipient, request.reply_to),
        entities=vector(request.entities) if request.entities else None,
        media=_recorded(file),
        session=call.request.session,
    )
    return _sent(call, sender, message)


@answers(functions.messages.UploadMediaRequest)
def upload_media(call: Call, request: Any) -> Any:
    """Make a file that can be referred to, without sending it to anybody."""
    account = call.account
    call.user(request.peer)
    return call.telegram.views.media(account, _file(call, account, request.media))


def _file(call: Call, account: Account, media: Any) -> StoredFile:
    files = call.telegram.world.files
    if isinstance(media, types.InputMediaUploadedPhoto):
        return files.assemble(account.id, _upload(media.file, "photo", "image/jpeg", None))
    if isinstance(media, types.InputMediaUploadedDocument):
        return files.assemble(account.id, _upload(media.file, "document", media.mime_type, media.attributes))
    if isinstance(media, types.InputMediaPhoto) and isinstance(media.id, types.InputPhoto):
        kind = "photo"
    elif isinstance(media, types.InputMediaDocument) and isinstance(media.id, types.InputDocument):
        kind = "document"
    else:
        raise TelegramError("MEDIA_INVALID")
    given = (media.id.id, media.id.access_hash, media.id.file_reference)
    lifetime = call.telegram.world.settings.file_reference_seconds
    return files.referenced(account.id, kind, given, call.request.arrived_at, lifetime)


def _upload(file: Any, kind: str, mime_type: str, attributes: list[Any] | None) -> Upload:
    if not isinstance(file, types.InputFile | types.InputFileBig):
        raise TelegramError("MEDIA_INVALID")
    named = (each.file_name for each in attributes or () if isinstance(each, types.DocumentAttributeFilename))
    return Upload(
        file.id,
        file.parts,
        getattr(file, "md5_checksum", ""),
        kind,
        mime_type,
        None if attributes is None else next(named, file.name or None),
        None if attributes is None else vector(attributes),
    )


def _recorded(file: StoredFile) -> str:
    shown = {"kind": file.kind, "size": file.size, "sha256": file.sha256, "mime_type": file.mime_type}
    return json.dumps({"file_id": file.id, **shown, "file_name": file.file_name})


def _sent(call: Call, sender: Account, message: Message) -> Any:
    """Clients look for the new message in the second update and find it by the first."""
    views = call.telegram.views
    updates = [types.UpdateMessageID(message.from_message_id, message.random_id), views.message_update(sender, message)]
    return views.updates(sender, updates, [message.peer_of(sender.id)], message.date)
