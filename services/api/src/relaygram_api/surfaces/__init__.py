"""The shapes that the API speaks: which addresses belong to each, who may call, how often, and how its errors look."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from relaygram_api.caller import Caller
from relaygram_api.errors import ApiError
from relaygram_api.surfaces import campaign_api, channel_logs, send_logs

SurfaceName = Literal["campaign_api", "channel_logs", "send_logs"]


@dataclass(frozen=True, slots=True)
class Surface:
    """One shape. Addresses outside of all of them need no token (health, pages of the documentation)."""

    name: SurfaceName
    # Schemes of the `Authorization` header, lower-case.
    schemes: frozenset[str]
    # An error's status and body, of the error and the id of its request.
    error: Callable[[ApiError, str], tuple[int, dict[str, Any]]]
    # Whose requests its rate limit counts together, and what this is called.
    counts: Callable[[Caller], int]
    counted: str


CAMPAIGN_API: Final = Surface(
    "campaign_api", frozenset({"bearer"}), campaign_api.error, lambda caller: caller.token_id, "token"
)
CHANNEL_LOGS: Final = Surface(
    "channel_logs", frozenset({"bearer", "app"}), channel_logs.error, lambda caller: caller.workspace_id, "workspace"
)
SEND_LOGS: Final = Surface(
    "send_logs", frozenset({"bearer"}), send_logs.error, lambda caller: caller.workspace_id, "workspace"
)
SURFACES: Final = (CAMPAIGN_API, CHANNEL_LOGS, SEND_LOGS)

# A channel's name, as events have it.
CHANNEL: Final = "[a-z][a-z0-9_-]{0,30}"
_CHANNEL_LOGS = re.compile(f"/{CHANNEL}/1/logs")


def surface_at(path: str) -> Surface | None:
    """The surface that a path belongs to."""
    if path.startswith("/api/v1/"):
        return CAMPAIGN_API
    if path == "/send-logs" or path.startswith("/send-logs/"):
        return SEND_LOGS
    return CHANNEL_LOGS if _CHANNEL_LOGS.fullmatch(path) else None
