"""What requests are answered with: made once by app.py, found by handlers through `Depends`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from relaygram_api.adapters.pg_workspace import Database
from relaygram_api.limiter import FailureLimiter, RateLimiter
from relaygram_api.settings import ApiSettings
from relaygram_common.health import Health
from relaygram_common.security.sealing import Sealer


@dataclass(frozen=True)
class Parts:
    """The parts of the service that handlers use."""

    settings: ApiSettings
    health: Health
    database: Database
    sealer: Sealer
    time_zones: frozenset[str]
    requests: RateLimiter
    logins: FailureLimiter
    # There are new rows in the outbox; there is a new import.
    wake_outbox: Callable[[], None]
    wake_imports: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the token, its user and workspace."""

    token_id: int
    workspace_id: int
    user_id: int
    abilities: list[str]

    @property
    def actor(self) -> str:
        """As events name people."""
        return f"user:{self.user_id}"


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


FromParts = Annotated[Parts, Depends(_parts)]
