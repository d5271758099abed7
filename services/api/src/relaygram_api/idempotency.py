"""Idempotency-Key on a POST: the first answer is kept for a day and repeated; the effect happens once.

The key is claimed before the handler runs, and the answer is written in the transaction of the effect (change.py), so
that a kill between any two lines neither doubles the effect nor loses its answer. Not kept are answers that say
nothing of the request itself: they give the key up.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog
from fastapi import Request, Response
from prometheus_client import Counter

from relaygram_api.adapters import pg_idempotency
from relaygram_api.adapters.pg_idempotency import Held, KeyHolder
from relaygram_api.answers import error_response
from relaygram_api.caller import Caller
from relaygram_api.errors import ApiError, invalid
from relaygram_api.keyed_request import HashedBody, KeyedRequest, in_use, unpacked
from relaygram_api.parts import Parts
from relaygram_common.security.sealing import SealError
from relaygram_common.security.tokens import allows
from relaygram_common.tasks import cancel_and_wait

log = structlog.get_logger(__name__)

Handle = Callable[[Request], Awaitable[Response]]

_HEADER = "Idempotency-Key"
_KEY = re.compile(r"[!-~]{1,255}")
# Not the request's fault, or not for ever: refused tokens, slow or large or unreadable bodies, too many requests.
_NOT_KEPT = frozenset({401, 408, 412, 413, 415, 429})

_replayed = Counter("relaygram_http_answers_replayed_total", "Answers repeated for an Idempotency-Key")


async def once(request: Request, handle: Handle, *, streams: bool) -> Response:
    """The handler's answer or, for a used key, the first answer. `streams`: the handler reads the body itself."""
    given = request.headers.getlist(_HEADER) if request.method == "POST" else []
    caller: Caller | None = getattr(request.state, "caller", None)
    if not given or caller is None:
        return await handle(request)
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise invalid({_HEADER: ["must be 1 to 255 visible ASCII characters, without spaces"]})
    parts: Parts = request.app.state.parts
    request, body = await _with_hashed_body(request, parts, streams)
    holder = KeyHolder(caller.workspace_id, caller.user_id, given[0])
    route_hash, claim = _route_hash(request, parts), uuid.uuid4()
    lease_seconds = parts.settings.idempotency_lease_seconds
    held = await pg_idempotency.claim(
        parts.database, holder, claim, route_hash=route_hash, body_hash=body.hash, seconds=lease_seconds
    )
    if held is not None:
        return await _repeated(held, holder, caller, parts, route_hash, body)
    keyed = KeyedRequest(parts.database, parts.sealer, holder, claim, body, caller.abilities)
    request.state.caller = replace(caller, keyed=keyed)
    async with _renewing(keyed, lease_seconds):
        return await _first(request, handle, keyed, body)


async def _first(request: Request, handle: Handle, keyed: KeyedRequest, body: HashedBody) -> Response:
    try:
        try:
            response = await handle(request)
        except ApiError as error:
            if error.status_code in _NOT_KEPT or error.status_code >= 500:
                raise
            response = error_response(error, request.scope)
        if not keyed.is_kept:
            if not await body.drain():
                raise ConnectionResetError("the client has gone")
            await keyed.keep_alone(response)
        return response
    except Exception:
        await keyed.release()
        raise


async def _repeated(
    held: Held, holder: KeyHolder, caller: Caller, parts: Parts, route_hash: bytes, body: HashedBody
) -> Response:
    if held.route_hash != route_hash:
        raise _reused()
    if held.answer_sealed is None:
        if held.body_hash is not None and body.hash is not None and held.body_hash != body.hash:
            raise _reused()
        raise in_use(held.age_seconds)
    await body.drain()
    if held.body_hash != body.hash:
        raise _reused()
    try:
        response, abilities = unpacked(parts.sealer.open(held.answer_sealed, owner=holder.seal))
    except SealError:
        log.warning("idempotency.answer_not_opened", workspace_id=holder.workspace_id, user_id=holder.user_id)
        raise _reused() from None
    # The answer may hold what only the first token may see, such as a new token.
    if not all(allows(caller.abilities, ability) for ability in abilities):
        raise ApiError(403, "missing_ability", "This answer was given to a token with more abilities.")
    response.headers["Idempotent-Replayed"] = "true"
    _replayed.inc()
    return response


async def _with_hashed_body(request: Request, parts: Parts, streams: bool) -> tuple[Request, HashedBody]:
    if streams:
        body = HashedBody(request.receive, parts.sealer)
        return type(request)(request.scope, body.receive), body
    whole = await request.body()

    async def receive_whole() -> dict[str, object]:
        return {"type": "http.request", "body": whole}

    body = HashedBody(receive_whole, parts.sealer)
    await body.drain()
    return request, body


def _route_hash(request: Request, parts: Parts) -> bytes:
    """Everything but the body that makes a request another one."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    query = request.scope["query_string"].decode("latin-1")
    return parts.sealer.fingerprint(f"route {request.method} {request.url.path}?{query} {kind}")


@asynccontextmanager
async def _renewing(keyed: KeyedRequest, lease_seconds: float) -> AsyncIterator[None]:
    task = asyncio.create_task(keyed.renew_for_ever(lease_seconds), name="idempotency-lease")
    try:
        yield
    finally:
        await cancel_and_wait([task])


def _reused() -> ApiError:
    return invalid({_HEADER: ["was used with another request within the last 24 hours"]}, code="idempotency_key_reused")
