"""What the routes work on."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Path, Request

from relaygram_sandbox.telegram import Telegram
from relaygram_sandbox.wire import WireLog
from relaygram_sandbox.world.account import Account


@dataclass(slots=True)
class Sandbox:
    """The running sandbox, as the control plane sees it."""

    telegram: Telegram
    wire: WireLog
    host: str
    mtproto_port: int

    def commit(self) -> None:
        """Make a change durable before it is answered."""
        if not self.telegram.server.outbox.flush():
            raise HTTPException(500, "the record cannot be written")

    def address_for(self, request: Request) -> str:
        """The address that clients shall use: where this request arrived, when bound to every address."""
        if self.host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            return self.host
        server = request.scope.get("server")
        return str(server[0]) if server else self.host


def _running(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


Running = Annotated[Sandbox, Depends(_running)]


def _person(sandbox: Running, user_id: Annotated[int, Path()]) -> Account:
    return known_person(sandbox, user_id)


def known_person(sandbox: Sandbox, user_id: int, field: str | None = None) -> Account:
    """The person with this id, or an error that names the field (or the address) it came from."""
    account = sandbox.telegram.account(user_id)
    if account is None:
        if field is not None:
            raise HTTPException(422, f"{field}: there is no user {user_id}")
        raise HTTPException(404, f"there is no user {user_id}")
    return account


PersonInPath = Annotated[Account, Depends(_person)]
