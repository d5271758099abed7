"""What an account is connected with: a phone, a bot token or a session string."""

import base64
import binascii
import re

from relaygram_api.core.addresses import normal_phone

_BOT_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{10,100}")
# Telethon's: a version, then in base64 the data centre, its address (IPv4 or IPv6) and port, and the key.
_SESSION = re.compile(r"1[A-Za-z0-9_-]{350,370}={0,2}")
_SESSION_BYTES = (1 + 4 + 2 + 256, 1 + 16 + 2 + 256)
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
        return "session_string", _session(session_string)
    if phone is None:
        raise CredentialError("phone", "is required, or session_string")
    try:
        return "phone", normal_phone(phone)
    except ValueError as error:
        raise CredentialError("phone", str(error)) from None


def login_code(text: str) -> str:
    """The code as Telegram sent it. Raises CredentialError."""
    return _matching(_CODE, "code", text, "is not a log-in code")


def _session(text: str) -> str:
    problem = "is not a session string of Telethon"
    bare = _matching(_SESSION, "session_string", text, problem)
    try:
        packed = base64.b64decode(bare[1:], b"-_", validate=True)
    except binascii.Error:
        raise CredentialError("session_string", problem) from None
    if len(packed) not in _SESSION_BYTES or not any(packed[-256:]):
        raise CredentialError("session_string", problem)
    return bare


def _refuse(problem: str, **fields: str | None) -> None:
    for field, value in fields.items():
        if value is not None:
            raise CredentialError(field, problem)


def _matching(pattern: re.Pattern[str], field: str, text: str, problem: str) -> str:
    if not pattern.fullmatch(text.strip()):
        raise CredentialError(field, problem)
    return text.strip()
