"""Telegram's errors as answers: a name and the code that goes with it."""

import re
from functools import cache

from telethon.errors import rpcerrorlist

_NAME = re.compile(r"[A-Z0-9][A-Z0-9_]{2,63}|Timeout")
# Errors that Telegram has and Telethon's list has not, or has under another code.
_CODES = {
    "ALLOW_PAYMENT_REQUIRED": 403,
    "AUTH_KEY_DUPLICATED": 406,
    "PRIVACY_PREMIUM_REQUIRED": 403,
    "RANDOM_ID_DUPLICATE": 500,
    "RPC_CALL_FAIL": 500,
    "Timeout": -503,
}


class TelegramError(Exception):
    """What a handler raises to answer a request with an error."""

    def __init__(self, name: str, code: int | None = None) -> None:
        super().__init__(name)
        self.name = name
        self.code = code if code is not None else code_of(name)


def is_error_name(name: str) -> bool:
    """Whether this looks like the name of a Telegram error."""
    return _NAME.fullmatch(name) is not None


@cache
def code_of(name: str) -> int:
    """The code that Telegram sends along with a name; 400 for names nobody knows."""
    if name in _CODES:
        return _CODES[name]
    if name.startswith("ALLOW_PAYMENT_REQUIRED_"):
        return 403
    known = rpcerrorlist.rpc_errors_dict.get(name)
    if known is None:
        known = next((kind for pattern, kind in rpcerrorlist.rpc_errors_re if re.match(pattern, name)), None)
    if known is not None and isinstance(known.code, int):
        return int(known.code)
    if name.startswith("FLOOD"):
        return 420
    return 400
