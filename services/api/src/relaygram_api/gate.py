"""What happens before routing and around every answer: request ids, size, authentication, the rate limit, 500 and 503.

The order is the contract's: 413, 401, 429; then the router (404, 405), then `checked_route` (415, 422 of a body that
is not JSON), then abilities and the thing itself. Nothing of a body is read before its sender is known.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from relaygram_api.caller import Caller
from relaygram_api.errors import too_large, too_many, too_slow, unauthenticated
from relaygram_api.exchange import Exchange
from relaygram_api.parts import Parts
from relaygram_api.shared_reads import key_of
from relaygram_api.stream_ticket import ticket_in
from relaygram_api.surfaces import Surface

_OPEN = frozenset({"/api/v1/login"})
_UPLOAD = re.compile(r"/api/v1/campaigns/[0-9]+/contacts")
_MEDIA = "/api/v1/media"
_FORM_BYTES = 16 * 1024  # what a form is made of beside its file
_LEAST_BYTES_A_SECOND = 16 * 1024
# These make an answer depend on more than the address, or come with a body.
_NOT_PLAIN = frozenset({b"if-none-match", b"content-type", b"content-length", b"transfer-encoding"})


class Gate:
    """The outermost ASGI layer."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        exchange = Exchange(scope, headers, send)
        try:
            if (declared := headers.get(b"content-length")) is not None:
                _check_declared_size(declared, self._size_limit(scope, headers))
            if exchange.surface is not None and scope["path"] not in _OPEN:
                caller = await self._admit(scope, exchange.surface, headers, exchange)
                if await self._read(scope, caller, headers, exchange):
                    return
                scope["state"]["caller"] = caller.asking(exchange.request_id)
            await self._pass_on(scope, receive, headers, exchange)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises becomes an answer here
            await exchange.fail(error)
        finally:
            exchange.observe()

    async def _read(self, scope: Scope, caller: Caller, headers: Mapping[bytes, bytes], exchange: Exchange) -> bool:
        """Answer what was asked in the same words before; False when the router has to understand it."""
        if scope["method"] != "GET" or not _NOT_PLAIN.isdisjoint(headers):
            return False
        key = key_of(scope, caller)
        known = self._parts.reads.known(key)
        if known is None:
            return False
        scope["route"] = known.route
        await exchange.answer(await self._parts.reads.answer(key, known.read))
        return True

    async def _pass_on(
        self, scope: Scope, receive: Receive, headers: Mapping[bytes, bytes], exchange: Exchange
    ) -> None:
        bounded = _bounded(receive, self._size_limit(scope, headers), self._parts.settings.upload_idle_seconds)
        scope["state"]["exchange"] = exchange
        try:
            await self._app(scope, bounded, exchange.send)
        finally:
            del scope["state"]["exchange"]  # it holds the scope

    def _size_limit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> int:
        settings, kind = self._parts.settings, headers.get(b"content-type", b"").lower()
        if kind.startswith(b"multipart/form-data") and scope["path"] == _MEDIA:
            return settings.max_media_bytes + _FORM_BYTES
        is_csv = kind.startswith(b"text/csv")
        return settings.max_csv_bytes if is_csv and _UPLOAD.fullmatch(scope["path"]) else settings.max_json_bytes

    async def _admit(
        self, scope: Scope, surface: Surface, headers: Mapping[bytes, bytes], exchange: Exchange
    ) -> Caller:
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        caller = None
        if scheme.lower() in surface.schemes:
            caller = await self._parts.tokens.caller(token.strip())
        elif not scheme and (ticket := ticket_in(scope)) is not None:
            caller = await self._parts.tokens.caller_with_ticket(*ticket)
        if caller is None:
            raise unauthenticated()
        limiter = self._parts.limiters[surface.name]
        if limiter.rate.per_minute:
            verdict = await limiter.take(surface.counts(caller))
            exchange.limits = (
                (b"x-ratelimit-limit", b"%d" % limiter.rate.per_minute),
                (b"x-ratelimit-remaining", b"%d" % verdict.remaining),
                (b"x-ratelimit-reset", b"%d" % (int(time.time()) + verdict.full_after_seconds)),
            )
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
            exchange: Exchange = scope["state"]["exchange"]
            await exchange.fail(error)


def _check_declared_size(declared: bytes, limit: int) -> None:
    if declared.isdigit() and (len(declared) > 15 or int(declared) > limit):
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
