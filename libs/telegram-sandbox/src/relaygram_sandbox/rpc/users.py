"""users.*: looking people up by id."""

from typing import Any

from telethon.tl import functions, types

from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.rpc.registry import Call, answers


@answers(functions.users.GetUsersRequest)
def get_users(call: Call, request: Any) -> Any:
    """The people asked for; one whom the account may not address comes back empty, without an error."""
    found = []
    for given in request.id:
        try:
            found.append(call.telegram.views.user(call.account, call.user(given)))
        except TelegramError:
            found.append(types.UserEmpty(getattr(given, "user_id", 0)))
    return found
