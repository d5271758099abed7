"""One request and its answer: its id, headers of every answer, errors that nobody else answers, how long it took."""

import itertools
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from functools import cache

import structlog
from prometheus_client import Histogram
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Scope, Send

from relaygram_api.adapters.pg_workspace import is_transient
from relaygram_api.answers import error_response
from relaygram_api.errors import ApiError, unavailable
from relaygram_api.surfaces import surface_at

log = structlog.get_logger(__name__)

Header = tuple[bytes, bytes]
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_requests = Histogram(
    "relaygram_http_request_seconds",
    "Requests by route and status, and how long they took",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)


@cache  # bounded by routes and statuses; prometheus looks each up under a lock
def _series(method: str, route: str, status: int) -> Histogram:
    return _requests.labels(method, route, status)


# Random for each process, counted within: as good as random ones, and had for a tenth.
_process_id, _counted = secrets.token_hex(6), itertools.count(1)


def _request_id(given: bytes | None) -> str:
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return f"{_process_id}{next(_counted):012x}"


class Exchange:
    """One request and its answer.

    Nothing that it holds may hold it: in a circle all of a request stays until the garbage collector comes, which for
    a quick request is a fifth of the work.
    """

    __slots__ = ("_begun", "_is_observed", "_scope", "_send", "_started", "_status", "limits", "request_id", "surface")

    def __init__(self, scope: Scope, headers: Mapping[bytes, bytes], send: Send) -> None:
        self.request_id = _request_id(headers.get(b"x-request-id"))
        self.surface = surface_at(scope["path"])
        self.limits: tuple[Header, ...] = ()  # headers that tell of the rate limit
        self._scope = scope
        self._send = send
        self._started = False
        self._status = 0
        self._is_observed = False
        self._begun = time.monotonic()
        state = scope.setdefault("state", {})
        state["request_id"], state["surface"] = self.request_id, self.surface

    async def send(self, message: Message) -> None:
        """Add our headers to the head of the answer."""
        if message["type"] == "http.response.start":
            await self._begin(message["status"], message.get("headers", ()))
        else:
            await self._send(message)

    async def answer(self, response: Response) -> None:
        """Send a whole answer, which may be another request's too."""
        await self._begin(response.status_code, response.raw_headers)
        await self._send({"type": "http.response.body", "body": response.body})

    async def _begin(self, status: int, headers: Iterable[Header]) -> None:
        self._started = True
        self._status = status
        whole = [*headers, (b"x-request-id", self.request_id.encode()), *self.limits]
        await self._send({"type": "http.response.start", "status": status, "headers": whole})

    @property
    def _where(self) -> str:
        return f"{self._scope['method']} {self._scope['path'][:200]}"

    def observe(self) -> None:
        """Count the request, by route: paths are as many as there are ids. Once: a stream counts when it has begun."""
        if self._is_observed:
            return
        self._is_observed = True
        route = getattr(self._scope.get("route"), "path_format", "none")
        method = self._scope["method"] if route != "none" else "any"
        _series(method, route, self._status).observe(time.monotonic() - self._begun)

    async def fail(self, error: Exception) -> None:
        """Answer an error; too late when the answer has begun, and in vain when the caller has hung up."""
        if isinstance(error, ClientDisconnect):
            self._status = 499  # as nginx counts them
            log.info("request.abandoned", where=self._where)
            return
        if self._started:
            raise error
        await self.answer(error_response(self._as_answer(error), self._scope))

    def _as_answer(self, error: Exception) -> ApiError:
        if isinstance(error, ApiError):
            return error
        if is_transient(error):
            log.warning("request.unavailable", where=self._where, error=str(error) or type(error).__name__)
            return unavailable()
        log.error("request.failed", where=self._where, request_id=self.request_id, exc_info=error)
        return ApiError(500, "internal_error", "Something went wrong here; the request id finds it in our logs.")
