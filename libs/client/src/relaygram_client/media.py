"""Photos and files for `attachments`."""

import asyncio
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path
from typing import Literal

from relaygram_client.models.media import MediaFile
from relaygram_client.paging import one
from relaygram_client.transport import Transport
from relaygram_client.uploads import OnProgress, of_bytes, of_file, watched

Kind = Literal["photo", "document"]
_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class Media:
    """`relaygram.media`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def add(
        self,
        source: Path | str | bytes,
        *,
        kind: Kind | None = None,
        file_name: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> MediaFile:
        """Upload a file by its path, streamed, or bytes. Without `kind` JPEG and PNG go as a photo."""
        if isinstance(source, bytes):
            whole, pieces = source, of_bytes
            return await self._upload(lambda: pieces(whole), kind, file_name or "file", on_progress)
        file = Path(source)
        if not await asyncio.to_thread(file.is_file):
            raise FileNotFoundError(f"there is no file {file}")
        return await self._upload(lambda: of_file(file), kind, file_name or file.name, on_progress)

    async def add_by_url(self, url: str, *, kind: Kind | None = None, file_name: str | None = None) -> MediaFile:
        """Let the server fetch it from a public address."""
        body = {"url": url, "kind": kind, "file_name": file_name}
        return one(MediaFile, await self._transport.call("POST", "/media", json=body))

    async def get(self, media_id: int) -> MediaFile:
        """What is known of one."""
        return one(MediaFile, await self._transport.call("GET", f"/media/{media_id}"))

    async def _upload(
        self,
        pieces: Callable[[], AsyncIterable[bytes]],
        kind: Kind | None,
        file_name: str,
        on_progress: OnProgress | None,
    ) -> MediaFile:
        # The same in each attempt, so that the server knows a repeated one for the same.
        boundary = secrets.token_hex(16)
        answer = await self._transport.upload(
            "/media",
            lambda: _form(boundary, watched(pieces(), on_progress), kind, file_name),
            f"multipart/form-data; boundary={boundary}",
            repeatable=True,
        )
        return one(MediaFile, answer)


async def _form(boundary: str, pieces: AsyncIterable[bytes], kind: str | None, file_name: str) -> AsyncIterator[bytes]:
    if kind is not None:
        yield f'--{boundary}\r\nContent-Disposition: form-data; name="kind"\r\n\r\n{kind}\r\n'.encode()
    name = file_name.translate(_ESCAPES)
    yield (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    async for piece in pieces:
        yield piece
    yield f"\r\n--{boundary}--\r\n".encode()
