"""Asks one URL as fast as it is answered: few connections, each with one request at a time, as cheap as can be."""

import asyncio
import time
from typing import cast
from urllib.parse import urlsplit

_HEAD_END = b"\r\n\r\n"
_ANSWER_SECONDS = 10.0


class _Asker(asyncio.Protocol):
    """Sends the request again whenever an answer is complete."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None
        self.answers = 0
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's own classes are none
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(_HEAD_END)
        if end < 0:
            return
        head = self._received[:end].lower()
        if not head.startswith(b"http/1.1 200"):
            self._fail(RuntimeError(self._received[:300].decode(errors="replace")))
            return
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._received) - end - len(_HEAD_END) < length or self._transport is None:
            return
        self._received = b""
        self.answers += 1
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("the server hung up"))

    def _fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    def stop(self) -> None:
        """Hang up."""
        self.failed.cancel()
        if self._transport is not None:
            self._transport.close()


async def requests_per_second(url: str, *, token: str, seconds: float, connections: int = 16) -> float:
    """How many requests were answered with 200 in a second. Raises RuntimeError at any other answer."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    askers: list[_Asker] = []
    try:
        for _ in range(connections):
            async with asyncio.timeout(_ANSWER_SECONDS):
                _, asker = await loop.create_connection(lambda: _Asker(request), host, port)
            askers.append(asker)
        before, began = sum(asker.answers for asker in askers), time.perf_counter()
        done, _ = await asyncio.wait([asker.failed for asker in askers], timeout=seconds)
        for failure in done:
            failure.result()
        return (sum(asker.answers for asker in askers) - before) / (time.perf_counter() - began)
    finally:
        for asker in askers:
            asker.stop()
