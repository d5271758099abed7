"""Further tokens of the same user."""

from collections.abc import Sequence
from datetime import datetime

from relaygram_client.models.identity import NewToken, Token
from relaygram_client.paging import Listing, one
from relaygram_client.transport import Transport


class Tokens:
    """`relaygram.tokens`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Listing[Token]:
        """Those that are neither revoked nor expired, newest first."""
        return Listing(self._transport, "/tokens", Token)

    async def create(
        self, name: str, *, abilities: Sequence[str] | None = None, expires_at: datetime | None = None
    ) -> NewToken:
        """A new one; its secret is in this answer and can not be read again."""
        body = {
            "name": name,
            **({} if abilities is None else {"abilities": list(abilities)}),
            **({} if expires_at is None else {"expires_at": expires_at.isoformat()}),
        }
        return one(NewToken, await self._transport.call("POST", "/tokens", json=body))

    async def revoke(self, token_id: int) -> None:
        """Revoke one, at once."""
        await self._transport.call("DELETE", f"/tokens/{token_id}")
