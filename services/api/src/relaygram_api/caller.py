"""Who asks."""

from dataclasses import dataclass, replace

from relaygram_api.adapters.pg_workspace import Author
from relaygram_api.keyed_request import KeyedRequest


@dataclass(frozen=True, slots=True)
class Caller:
    """The token, its user and workspace; and the request that it makes."""

    token_id: int
    workspace_id: int
    user_id: int
    abilities: list[str]
    request_id: str = ""
    # Set when the request bears an Idempotency-Key: its answer is kept.
    keyed: KeyedRequest | None = None

    def asking(self, request_id: str) -> "Caller":
        """The same, making this request."""
        return replace(self, request_id=request_id)

    @property
    def actor(self) -> str:
        """As events and the audit log name people."""
        return f"user:{self.user_id}"

    @property
    def author(self) -> Author:
        """Whom the audit log names."""
        return Author(self.actor, self.token_id, self.request_id)
