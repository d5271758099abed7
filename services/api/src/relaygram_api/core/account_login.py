"""What an account is connected with: a phone, a bot token or a session string."""

import re

from relaygram_api.core.addresses import normal_phone

_BOT_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{10,100}")
_SESSION = re.compile(r"[A-Za-z0-9_=-]{20,4096}")
_CODE = re.compile(r"[A-Za-z0-9-]{3,20}")


class CredentialError(ValueError):
    """A field is wrong or missing."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


def account_credential(
    kind: str, *, phone: str | None, bot_token: str | None, session_string: str | None
) -> tuple[str, str]:
    """(kind of secret, its value), exactly one and one that suits the account's kind. Raises CredentialError."""
    if kind == "bot":
        _refuse("is for accounts of kind user", phone=phone, session_string=session_string)
        if bot_token is None:
            raise CredentialError("bot_token", "is required")
        return "bot_token", _matching(_BOT_TOKEN, "bot_token", bot_token, "is not a bot token, such as 123456:AAE…")
    _refuse("is for accounts of kind bot", bot_token=bot_token)
    if phone is not None and session_string is not None:
        raise CredentialError("session_string", "can not be given together with phone")
    if session_string is not None:
        return "session_string", _matching(
            _SESSION, "session_string", session_string, "is not a session string of Telethon"
        )
    if phone is None:
        raise CredentialError("phone", "is required, or session_string")
    try:
        return "phone", normal_phone(phone)
    except ValueError as error:
        raise CredentialError("phone", str(error)) from None


def login_code(text: str) -> str:
    """The code as Telegram sent it. Raises CredentialError."""
    return _matching(_CODE, "code", text, "is not a log-in code")


def _refuse(problem: str, **fields: str | None) -> None:
    for field, value in fields.items():
        if value is not None:
            raise CredentialError(field, problem)


def _matching(pattern: re.Pattern[str], field: str, text: str, problem: str) -> str:
    if not pattern.fullmatch(text.strip()):
        raise CredentialError(field, problem)
    return text.strip()
