"""A request with an Idempotency-Key that is the first with it, and its answer, kept for those that repeat it."""

import asyncio
import hashlib
import random
from uuid import UUID

import orjson
import structlog
from fastapi import Response
from starlette.types import Message, Receive

from relaygram_api.adapters import pg_idempotency
from relaygram_api.adapters.pg_idempotency import KeyHolder
from relaygram_api.adapters.pg_workspace import Connection, Database, is_transient
from relaygram_api.errors import ApiError
from relaygram_common.security.sealing import Sealer

log = structlog.get_logger(__name__)

_LONGEST_WAIT_SECONDS = 10


class HashedBody:
    """A body that is hashed while it is received."""

    def __init__(self, receive: Receive, sealer: Sealer) -> None:
        self._receive = receive
        self._sealer = sealer
        self._digest = hashlib.sha256()
        self.is_complete = False

    async def receive(self) -> Message:
        """The next piece."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._digest.update(message.get("body", b""))
            self.is_complete = not message.get("more_body", False)
        return message

    async def drain(self) -> bool:
        """Receive what the handler did not want to; False when the client has gone."""
        while not self.is_complete:
            if (await self.receive())["type"] != "http.request":
                return False
        return True

    @property
    def hash(self) -> bytes | None:
        """Keyed, since bodies may be short and secret; None before the end."""
        return self._sealer.fingerprint(f"body {self._digest.hexdigest()}") if self.is_complete else None


class KeyedRequest:
    """Holds the key until the answer is kept, or the key is given up."""

    def __init__(
        self, database: Database, sealer: Sealer, holder: KeyHolder, claim: UUID, body: HashedBody, abilities: list[str]
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._holder = holder
        self._claim = claim
        self._body = body
        self._abilities = abilities
        self.is_kept = False

    async def keep(self, connection: Connection, response: Response) -> None:
        """Write the answer in the transaction of its effect; raises when the key was taken over meanwhile."""
        sealed = self._sealer.seal(_packed(response, self._abilities), owner=self._holder.seal)
        if not await pg_idempotency.keep(connection, self._holder, self._claim, sealed, self._body.hash):
            raise in_use(0.0)

    async def keep_alone(self, response: Response) -> None:
        """Keep an answer that had no effect."""
        async with self._database.workspace(self._holder.workspace_id) as connection:
            await self.keep(connection, response)
        self.is_kept = True

    async def renew_for_ever(self, lease_seconds: float) -> None:
        """Stay the one who is at work, however long that takes."""
        while True:
            await asyncio.sleep(lease_seconds * (0.3 + 0.1 * random.random()))  # noqa: S311
            try:
                await pg_idempotency.renew(self._database, self._holder, self._claim, lease_seconds)
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("idempotency.not_renewed", error=str(error) or type(error).__name__)

    async def release(self) -> None:
        """Give the key up, so that the request can be tried again; if that fails, its lease ends soon."""
        try:
            await pg_idempotency.release(self._database, self._holder, self._claim)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("idempotency.not_released", error=str(error) or type(error).__name__)


def in_use(age_seconds: float) -> ApiError:
    """The first request with this key is still at work; it may well take as long again as it took so far."""
    seconds = min(max(1, round(age_seconds)), _LONGEST_WAIT_SECONDS)
    return ApiError(
        409,
        "idempotency_key_in_use",
        "The first request with this Idempotency-Key is still at work.",
        headers={"Retry-After": str(seconds)},
    )


def _packed(response: Response, abilities: list[str]) -> str:
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in response.raw_headers
        if name != b"content-length"
    }
    kept = {"status": response.status_code, "headers": headers, "body": bytes(response.body).decode()}
    return orjson.dumps({**kept, "abilities": abilities}).decode()


def unpacked(text: str) -> tuple[Response, list[str]]:
    """The kept answer, and the abilities of the token that it was given to."""
    kept = orjson.loads(text)
    response = Response(kept["body"].encode(), kept["status"], kept["headers"])
    return response, kept["abilities"]
