"""What happens before routing and around every answer: request ids, size, authentication, the rate limit, 500 and 503.

The order is the contract's: 413, 401, 429; then the router (404, 405), then `checked_route` (415, 422 of a body that
is not JSON), then abilities and the thing itself. Nothing of a body is read before its sender is known.
"""

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import MutableMapping
from functools import cache
from typing import Any

import structlog
from prometheus_client import Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relaygram_api.adapters.pg_workspace import is_transient
from relaygram_api.answers import error_response
from relaygram_api.errors import ApiError, too_large, too_many, too_slow, unauthenticated, unavailable
from relaygram_api.parts import Caller, Parts
from relaygram_api.shared_reads import key_of
from relaygram_api.stream_ticket import ticket_in
from relaygram_api.surfaces import Surface, surface_at

log = structlog.get_logger(__name__)

_OPEN = frozenset({"/api/v1/login"})
_UPLOAD = re.compile(r"/api/v1/campaigns/[0-9]+/contacts")
_MEDIA = "/api/v1/media"
_FORM_BYTES = 16 * 1024  # what a form is made of beside its file
_LEAST_BYTES_A_SECOND = 16 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# These make an answer depend on more than the address, or come with a body.
_NOT_PLAIN = frozenset({"if-none-match", "content-type", "content-length", "transfer-encoding"})
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


def _new_request_id() -> str:
    return f"{_process_id}{next(_counted):012x}"


class Gate:
    """The outermost ASGI layer."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        exchange = _Exchange(scope, headers, send)
        try:
            limit = self._size_limit(scope, headers)
            _check_declared_size(headers, limit)
            if exchange.surface is not None and scope["path"] not in _OPEN:
                caller = scope["state"]["caller"] = await self._admit(scope, exchange.surface, headers, exchange)
                if await self._read(scope, caller, headers, receive, exchange):
                    return
            await self._app(scope, _bounded(receive, limit, self._parts.settings.upload_idle_seconds), exchange.send)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises becomes an answer here
            await exchange.fail(error)
        finally:
            exchange.observe()

    async def _read(
        self, scope: Scope, caller: Caller, headers: MutableMapping[str, str], receive: Receive, exchange: "_Exchange"
    ) -> bool:
        """Answer what was asked in the same words before; False when the router has to understand it."""
        if scope["method"] != "GET" or not _NOT_PLAIN.isdisjoint(headers):
            return False
        key = key_of(scope, caller)
        known = self._parts.reads.known(key)
        if known is None:
            return False
        scope["route"] = known.route
        response = await self._parts.reads.answer(key, known.read)
        await response(scope, receive, exchange.send)
        return True

    def _size_limit(self, scope: Scope, headers: MutableMapping[str, str]) -> int:
        settings, kind = self._parts.settings, headers.get("content-type", "").lower()
        if kind.startswith("multipart/form-data") and scope["path"] == _MEDIA:
            return settings.max_media_bytes + _FORM_BYTES
        is_csv = kind.startswith("text/csv")
        return settings.max_csv_bytes if is_csv and _UPLOAD.fullmatch(scope["path"]) else settings.max_json_bytes

    async def _admit(
        self, scope: Scope, surface: Surface, headers: MutableMapping[str, str], exchange: "_Exchange"
    ) -> Caller:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        caller = None
        if scheme.lower() in surface.schemes:
            caller = await self._parts.tokens.caller(token.strip(), request_id=exchange.request_id)
        elif not scheme and (ticket := ticket_in(scope)) is not None:
            caller = await self._parts.tokens.caller_with_ticket(*ticket, request_id=exchange.request_id)
        if caller is None:
            raise unauthenticated()
        limiter = self._parts.limiters[surface.name]
        if limiter.rate.per_minute:
            verdict = await limiter.take(surface.counts(caller))
            exchange.extra_headers = [
                (b"x-ratelimit-limit", b"%d" % limiter.rate.per_minute),
                (b"x-ratelimit-remaining", b"%d" % verdict.remaining),
                (b"x-ratelimit-reset", b"%d" % (int(time.time()) + verdict.full_after_seconds)),
            ]
            if not verdict.allowed:
                said = f"Too many requests: this {surface.counted}'s rate limit is reached."
                raise too_many(said, verdict.retry_after_seconds)
        return caller


class ErrorAnswers:
    """The ASGI layer behind the framework's own, which would answer unforeseen errors in words of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises becomes an answer here
            exchange: _Exchange = scope["state"]["exchange"]
            await exchange.fail(error)


class _Exchange:
    """One request and its answer: adds headers, and answers errors that nobody else did."""

    def __init__(self, scope: Scope, headers: MutableMapping[str, str], send: Send) -> None:
        given = headers.get("x-request-id", "")
        self.request_id = given if given and _REQUEST_ID.fullmatch(given) else _new_request_id()
        self.extra_headers: list[tuple[bytes, bytes]] = []
        self._send = send
        self._started = False
        self._status = 0
        self._is_observed = False
        self._scope = scope
        self._begun = time.monotonic()
        self.surface = surface_at(scope["path"])
        scope.setdefault("state", {}).update(request_id=self.request_id, exchange=self, surface=self.surface)

    async def send(self, message: Message) -> None:
        """Add our headers to the head of the answer."""
        if message["type"] == "http.response.start":
            self._started = True
            self._status = message["status"]
            own = (b"x-request-id", self.request_id.encode())
            message["headers"] = [*message.get("headers", ()), own, *self.extra_headers]
        await self._send(message)

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
        await self._respond(self._as_answer(error))

    async def _respond(self, error: ApiError) -> None:
        response = error_response(error, self._scope)
        await self.send(
            {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        )
        await self.send({"type": "http.response.body", "body": response.body})

    def _as_answer(self, error: Exception) -> ApiError:
        if isinstance(error, ApiError):
            return error
        if is_transient(error):
            log.warning("request.unavailable", where=self._where, error=str(error) or type(error).__name__)
            return unavailable()
        log.error("request.failed", where=self._where, request_id=self.request_id, exc_info=error)
        return ApiError(500, "internal_error", "Something went wrong here; the request id finds it in our logs.")


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _check_declared_size(headers: MutableMapping[str, str], limit: int) -> None:
    declared = headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 15 or int(declared) > limit):
        raise too_large(limit)


def _bounded(receive: Receive, limit: int, idle_seconds: float) -> Receive:
    """The body, as long as it keeps coming and stays within the bound: it may have come without a length."""
    received, is_complete = 0, False
    # Who sends a byte now and then stays within every pause.
    ends_at = time.monotonic() + idle_seconds + limit / _LEAST_BYTES_A_SECOND

    async def bounded_receive() -> Any:
        nonlocal received, is_complete
        patience = min(idle_seconds, ends_at - time.monotonic())
        try:
            # After the body, whoever receives waits for the client to hang up: that may take its time.
            async with asyncio.timeout(None if is_complete else patience):
                message = await receive()
        except TimeoutError:
            raise too_slow() from None
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if received > limit:
                raise too_large(limit)
        return message

    return bounded_receive
