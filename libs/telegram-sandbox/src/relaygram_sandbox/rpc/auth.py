"""auth.*: logging in by phone and code or by bot token, and out again."""

from typing import Any

from telethon.tl import functions, types

from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.rpc.registry import Call, answers
from relaygram_sandbox.world.directory import phone_digits

_CODE_DIGITS = 5
_CODE_TIMEOUT_SECONDS = 60


def _digits(phone: str) -> str:
    digits = phone_digits(phone)
    if digits is None:
        raise TelegramError("PHONE_NUMBER_INVALID")
    return digits


@answers(functions.auth.SendCodeRequest, functions.auth.ResendCodeRequest, needs_login=False)
def send_code(call: Call, request: Any) -> Any:
    """Make a new code; the control plane shows it."""
    digits = _digits(request.phone_number)
    world = call.telegram.world
    account = world.directory.find_phone(digits, known_only=True)
    if account is not None and account.state == "deactivated":
        raise TelegramError("PHONE_NUMBER_BANNED")
    code = f"{world.random.randrange(10**_CODE_DIGITS):0{_CODE_DIGITS}}"
    code_hash = f"{world.random.getrandbits(64):016x}"
    world.store.write("INSERT OR REPLACE INTO login_codes VALUES (?, ?, ?)", f"+{digits}", code, code_hash)
    sent = types.auth.SentCodeTypeApp(_CODE_DIGITS)
    return types.auth.SentCode(sent, code_hash, None, _CODE_TIMEOUT_SECONDS)


@answers(functions.auth.SignInRequest, needs_login=False)
def sign_in(call: Call, request: Any) -> Any:
    """Check the code; with 2FA the password is asked for next."""
    digits = _digits(request.phone_number)
    telegram = call.telegram
    stored = telegram.world.store.rows("SELECT code, hash FROM login_codes WHERE phone = ?", f"+{digits}")
    if not stored or stored[0][1] != request.phone_code_hash:
        raise TelegramError("PHONE_CODE_EXPIRED")
    if not request.phone_code:
        raise TelegramError("PHONE_CODE_EMPTY")
    if stored[0][0] != request.phone_code:
        raise TelegramError("PHONE_CODE_INVALID")
    account = telegram.world.directory.find_phone(digits)
    if account is None:
        return types.auth.AuthorizationSignUpRequired()
    if account.password is not None:
        telegram.keys.await_password(call.request.key, account.id)
        raise TelegramError("SESSION_PASSWORD_NEEDED", 401)
    telegram.keys.log_in(call.request.key, account.id)
    return types.auth.Authorization(telegram.views.user(account, account))


@answers(functions.auth.ImportBotAuthorizationRequest, needs_login=False)
def import_bot_authorization(call: Call, request: Any) -> Any:
    """Log in a bot."""
    telegram = call.telegram
    bot = telegram.world.directory.find_bot(request.bot_auth_token)
    if bot is None:
        raise TelegramError("ACCESS_TOKEN_INVALID")
    telegram.keys.log_in(call.request.key, bot.id)
    return types.auth.Authorization(telegram.views.user(bot, bot))


@answers(functions.auth.LogOutRequest)
def log_out(call: Call, _: Any) -> Any:
    """The key is nobody's from now on."""
    call.telegram.keys.log_out(call.request.key)
    return types.auth.LoggedOut()
