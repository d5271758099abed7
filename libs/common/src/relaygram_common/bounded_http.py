"""uvicorn's HTTP protocol with bounds on what comes before a request is known: time, bytes and connections.

uvicorn waits for ever for the head of a request and keeps as much of it as comes. What is refused here is answered in
the shape of the API's errors.
"""

import asyncio
import json
import secrets
import sys
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if sys.platform != "win32":
    import resource

MOST_HEAD_BYTES = 64 * 1024
_SPARE_FILES = 100
_LINGER_SECONDS = 1.0


def most_connections() -> int:
    """As many as leave files for everything else."""
    if sys.platform == "win32":
        return 500
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(_SPARE_FILES, min(10_000, soft - _SPARE_FILES))


class BoundedHttp(HttpToolsProtocol):
    """One connection. Its `head_seconds` run from the connection's or the request's first byte to the head's last."""

    def __init__(self, *arguments: Any, head_seconds: float, connections: int, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_seconds = head_seconds
        self._most_connections = connections
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes: int | None = None  # None outside of a head
        self._weight, self._is_large, self._is_refused = 0, False, False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count it, and wait for a head."""
        super().connection_made(transport)
        if len(self.connections) > self._most_connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_connections", "There are too many connections.")
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline with it."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse heads without end; lines that begin no request do not keep a connection either."""
        if self._is_refused or self.transport.is_closing():
            return
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes is not None and self._head_bytes > MOST_HEAD_BYTES:
            self._refuse_large_head()
        elif self._is_idle() and self.timeout_keep_alive_task is None:
            self._expect_head()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        # For answers that go on for hours: whoever does not read them is cut off, which ASGI has no word for.
        self.scope["extensions"] = {"relaygram.connection": {"transport": self.transport}}
        self._head_bytes = self._weight = 0
        self._expect_head()

    def on_url(self, url: bytes) -> None:
        """Part of the request's line."""
        self._weigh(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line of the head."""
        self._weigh(name + value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole. HTTP/1.1 demands one Host: with two, a proxy and we might read different ones."""
        self._head_is_there()
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            raise ValueError("not exactly one Host")  # uvicorn takes it for bad HTTP
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words say less
        """What can not be parsed."""
        if self._is_large:
            self._refuse_large_head()
            return
        self._head_is_there()
        self._refuse(HTTPStatus.BAD_REQUEST, "bad_request", "This is no HTTP that can be understood.")

    def _expect_head(self) -> None:
        if self._deadline is None and not self._is_refused and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self._head_seconds, self._head_is_late)

    def _head_is_there(self) -> None:
        self._head_bytes = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        self._deadline = None
        if not self._is_idle():
            self._expect_head()  # it waits behind a request whose answer is on its way
        elif self._head_bytes is None:
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "too_slow", "The head of the request took too long.")

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _weigh(self, piece: bytes) -> None:
        # A head that came in one piece is known here only. What a callback raises, uvicorn takes for bad HTTP.
        self._weight += len(piece)
        if self._weight > MOST_HEAD_BYTES:
            self._is_large = True
            raise ValueError("the head is too large")

    def _refuse_large_head(self) -> None:
        told = f"The head of the request is larger than {MOST_HEAD_BYTES} bytes."
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", told)

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        request_id = secrets.token_hex(12)
        body = json.dumps({"message": message, "code": code, "request_id": request_id})
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            "X-Request-Id": request_id,
            **({"Retry-After": "1"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"HTTP/1.1 {status.value} {status.phrase}\r\n{head}\r\n{body}".encode())
        # Closed with bytes unread, the connection would be reset, and the answer lost on its way.
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(_LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()
