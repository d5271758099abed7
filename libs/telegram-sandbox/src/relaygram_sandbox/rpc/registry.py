"""Which function answers which request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from telethon.tl import types

from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.protocol.server import Request
from relaygram_sandbox.telegram import Telegram
from relaygram_sandbox.world.account import Account


@dataclass(slots=True)
class Call:
    """A request on its way through a handler."""

    telegram: Telegram
    request: Request
    is_duplicate: bool = False
    """Set by a handler that only repeated an earlier answer."""

    @property
    def account(self) -> Account:
        """Whom the client is logged in as."""
        user_id = self.request.key.user_id
        account = self.telegram.account(user_id) if user_id is not None else None
        if account is None:
            raise TelegramError("AUTH_KEY_UNREGISTERED")
        return account

    def user(self, given: Any) -> Account:
        """The person whom an InputUser or InputPeer names, when the account may address it so."""
        if isinstance(given, (types.InputPeerSelf, types.InputUserSelf)):
            return self.account
        if isinstance(given, (types.InputPeerUser, types.InputUser)):
            directory = self.telegram.world.directory
            found = directory.by_id.get(given.user_id)
            if found is not None and given.access_hash == directory.access_hash(self.account.id, found.id):
                return found
            if found is not None and self._bot_may_omit_hash(given, found):
                return found
        raise TelegramError("PEER_ID_INVALID")

    def _bot_may_omit_hash(self, given: Any, target: Account) -> bool:
        account = self.account
        return account.is_bot and given.access_hash == 0 and account.has_heard_from(target.id)


Handler = Callable[[Call, Any], Any]
HandlerT = TypeVar("HandlerT", bound=Handler)


@dataclass(frozen=True, slots=True)
class Route:
    """A handler and who may call it."""

    handler: Handler
    needs_login: bool
    allows_bots: bool


ROUTES: dict[type, Route] = {}


def answers(*requests: type, needs_login: bool = True, allows_bots: bool = True) -> Callable[[HandlerT], HandlerT]:
    """Register a handler for these requests."""

    def register(handler: HandlerT) -> HandlerT:
        for request in requests:
            ROUTES[request] = Route(handler, needs_login, allows_bots)
        return handler

    return register
