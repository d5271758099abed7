"""Telegram's own name of an error. Telethon keeps the class and throws the name away: it is found backwards."""

from telethon import errors
from telethon.errors import rpcerrorlist

from relaygram_telegram_gateway.core.telegram_errors import TelegramError

_NAMES: dict[type[Exception], str] = {
    cls: name for name, cls in rpcerrorlist.rpc_errors_dict.items() if name == name.upper()
}
_PATTERNS: dict[type[Exception], str] = {cls: pattern for pattern, cls in rpcerrorlist.rpc_errors_re}
_CAPTURES = ("seconds", "minutes", "new_dc", "which", "dc", "code_length")


def telegram_error(error: BaseException) -> TelegramError | None:
    """The error as Telegram sent it; None when it is none of Telegram's."""
    if isinstance(error, errors.AuthKeyNotFound):  # the transport's -404: the server does not know our key
        return TelegramError("AUTH_KEY_NOT_FOUND", 401)
    if not isinstance(error, errors.RPCError):
        return None
    code = int(error.code or 0)
    pattern = _PATTERNS.get(type(error))
    if pattern is not None:
        captured = next((getattr(error, name) for name in _CAPTURES if hasattr(error, name)), 0)
        return TelegramError(pattern.replace("(\\d+)", str(captured)), code)
    name = _NAMES.get(type(error)) or str(error.message or type(error).__name__)
    return TelegramError(name, code)
