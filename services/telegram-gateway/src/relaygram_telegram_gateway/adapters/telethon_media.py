"""Photos and documents at Telegram: uploading them in parts, and sending them by reference."""

import secrets
from collections.abc import AsyncIterator
from hashlib import md5, sha256
from typing import Any
from uuid import UUID

from telethon.tl import functions, types

from relaygram_telegram_gateway.adapters.pg_media import MediaFile, UploadedMedia
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink
from relaygram_telegram_gateway.core.peer_choice import Peer
from relaygram_telegram_gateway.core.random_id import random_id

# Small, one at a time: a message that is sent meanwhile waits for one part at most.
PART_BYTES = 128 * 1024
_BIG_FROM_BYTES = 10 * 1024 * 1024
_DIGEST_SECONDS = 60.0  # Telegram reads a file before it answers


class DamagedFileError(Exception):
    """The stored bytes are not the file."""


def media_message(job: UUID, peer: Peer, caption: str, file: UploadedMedia) -> Any:
    """The raw request: client.send_file has no place for our random_id."""
    if file.kind == "photo":
        media: Any = types.InputMediaPhoto(types.InputPhoto(file.telegram_id, file.access_hash, file.file_reference))
    else:
        media = types.InputMediaDocument(types.InputDocument(file.telegram_id, file.access_hash, file.file_reference))
    return functions.messages.SendMediaRequest(
        peer=types.InputPeerUser(peer.user_id, peer.access_hash),
        media=media,
        message=caption,
        random_id=random_id(job),
    )


def media_id_of(message: Any) -> int | None:
    """Which photo or document a message carries; 0 for anything else that is more than a text."""
    media = message.media
    match media:
        case None | types.MessageMediaEmpty() | types.MessageMediaWebPage():
            return None
        case types.MessageMediaPhoto(photo=types.Photo() as found):
            return int(found.id)
        case types.MessageMediaDocument(document=types.Document() as found):
            return int(found.id)
        case _:
            return 0


async def upload(
    link: TelegramLink, file: MediaFile, chunks: AsyncIterator[bytes], *, peer: Peer | None, timeout_seconds: float
) -> UploadedMedia:
    """Upload a file so that it can be referred to. `peer`: bots have no chat with themselves to name.

    Raises ConnectionError, TelegramRefusedError or DamagedFileError.
    """
    handle = await _upload_parts(link, file, chunks, timeout_seconds)
    if file.kind == "photo":
        media: Any = types.InputMediaUploadedPhoto(handle)
    else:
        named = [types.DocumentAttributeFilename(file.file_name)] if file.file_name else []
        media = types.InputMediaUploadedDocument(handle, file.mime_type, named, force_file=True)
    place = types.InputPeerSelf() if peer is None else types.InputPeerUser(peer.user_id, peer.access_hash)
    answer = await link.ask(
        functions.messages.UploadMediaRequest(peer=place, media=media), timeout_seconds=_DIGEST_SECONDS
    )
    made = answer.photo if file.kind == "photo" else answer.document
    return UploadedMedia(file.kind, made.id, made.access_hash, made.file_reference)


async def _upload_parts(
    link: TelegramLink, file: MediaFile, chunks: AsyncIterator[bytes], timeout_seconds: float
) -> Any:
    upload_id = secrets.randbits(63)
    is_big = file.size_bytes > _BIG_FROM_BYTES
    count = -(-file.size_bytes // PART_BYTES)
    number, whole, checksum = 0, sha256(), md5(usedforsecurity=False)
    async for part in _parts(chunks):
        if number == count:
            raise DamagedFileError("there is more of it than there should be")
        whole.update(part)
        checksum.update(part)
        if is_big:
            request = functions.upload.SaveBigFilePartRequest(upload_id, number, count, part)
        else:
            request = functions.upload.SaveFilePartRequest(upload_id, number, part)
        await link.ask(request, timeout_seconds=timeout_seconds)
        number += 1
    if whole.digest() != file.sha256:
        raise DamagedFileError("its checksum is another one")
    name = file.file_name or ("photo.jpg" if file.kind == "photo" else "file")
    if is_big:
        return types.InputFileBig(upload_id, count, name)
    return types.InputFile(upload_id, count, name, checksum.hexdigest())


async def _parts(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of equal size but for the last, however they were stored."""
    rest = b""
    async for chunk in chunks:
        rest += chunk
        for start in range(0, len(rest) - PART_BYTES + 1, PART_BYTES):
            yield rest[start : start + PART_BYTES]
        rest = rest[len(rest) - len(rest) % PART_BYTES :]
    if rest:
        yield rest
