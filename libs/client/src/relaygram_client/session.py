"""Logging in and out, and who one is."""

from collections.abc import Sequence

from relaygram_client.models.identity import LoggedIn, Me
from relaygram_client.paging import one
from relaygram_client.transport import Transport


class Session:
    """`relaygram.session`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def login(
        self, email: str, password: str, *, device_name: str, abilities: Sequence[str] | None = None
    ) -> LoggedIn:
        """Make a token from an e-mail and a password; further calls bear it. Never made twice by itself."""
        body = {"email": email, "password": password, "device_name": device_name}
        chosen = {} if abilities is None else {"abilities": list(abilities)}
        logged_in = one(LoggedIn, await self._transport.call_once("POST", "/login", json={**body, **chosen}))
        self._transport.token = logged_in.token
        return logged_in

    async def logout(self) -> None:
        """Revoke the token of this client, and forget it."""
        await self._transport.call_once("POST", "/logout")
        self._transport.token = None

    async def me(self) -> Me:
        """The user, workspace and token of this client."""
        return one(Me, await self._transport.call("GET", "/me"))
