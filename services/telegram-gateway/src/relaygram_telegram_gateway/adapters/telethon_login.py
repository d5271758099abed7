"""The steps of a log-in, each over a connection of its own: what is half way rests in the session, not in a process."""

from dataclasses import dataclass
from typing import Any

from telethon import password as srp
from telethon.sessions import StringSession
from telethon.tl import functions, types

from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink, TelegramPlace, TelegramRefusedError
from relaygram_telegram_gateway.core.telegram_errors import TelegramError


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Whom the session belongs to."""

    telegram_user_id: int
    handle: str | None
    is_bot: bool


def session_key(saved: str) -> str:
    """What makes a session this session, whatever else its string says. Raises ValueError when it is none."""
    try:
        key = StringSession(saved).auth_key
    except Exception as error:
        raise ValueError("this is not a session string of Telethon") from error
    return "" if key is None else bytes(key.key).hex()


async def send_code(link: TelegramLink, place: TelegramPlace, phone: str) -> str:
    """Ask Telegram to send the code; returns the hash that belongs to it."""
    answer = await link.sign_in_with(
        functions.auth.SendCodeRequest(
            phone_number=phone.lstrip("+"),
            api_id=place.api_id,
            api_hash=place.api_hash,
            settings=types.CodeSettings(),
        )
    )
    if isinstance(answer, types.auth.SentCodeSuccess):
        raise TelegramRefusedError(TelegramError("SENT_CODE_SUCCESS", 400))
    return str(answer.phone_code_hash)


async def sign_in(link: TelegramLink, phone: str, code: str, code_hash: str) -> LoggedIn:
    """Give the code. Raises TelegramRefusedError, SESSION_PASSWORD_NEEDED among others."""
    answer = await link.sign_in_with(functions.auth.SignInRequest(phone.lstrip("+"), code_hash, code))
    if isinstance(answer, types.auth.AuthorizationSignUpRequired):
        raise TelegramRefusedError(TelegramError("PHONE_NUMBER_UNOCCUPIED", 400))
    return _person(answer.user)


async def check_password(link: TelegramLink, password: str) -> LoggedIn:
    """Give the password of the second factor."""
    challenge = await link.sign_in_with(functions.account.GetPasswordRequest())
    proof = srp.compute_check(challenge, password)
    answer = await link.sign_in_with(functions.auth.CheckPasswordRequest(proof))
    return _person(answer.user)


async def sign_in_bot(link: TelegramLink, place: TelegramPlace, token: str) -> LoggedIn:
    """Log a bot in."""
    answer = await link.sign_in_with(
        functions.auth.ImportBotAuthorizationRequest(
            flags=0, api_id=place.api_id, api_hash=place.api_hash, bot_auth_token=token
        )
    )
    return _person(answer.user)


async def who_am_i(link: TelegramLink) -> LoggedIn:
    """Whose session this is. Raises TelegramRefusedError when it is nobody's."""
    users = await link.ask(functions.users.GetUsersRequest([types.InputUserSelf()]))
    if not users:
        raise TelegramRefusedError(TelegramError("AUTH_KEY_UNREGISTERED", 401))
    return _person(users[0])


async def log_out(link: TelegramLink) -> None:
    """End the session at Telegram."""
    await link.ask(functions.auth.LogOutRequest())


def _person(user: Any) -> LoggedIn:
    return LoggedIn(int(user.id), user.username.lower() if user.username else None, bool(user.bot))
