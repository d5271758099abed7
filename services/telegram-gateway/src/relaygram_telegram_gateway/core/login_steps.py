"""Logging an account in: which step is next, and what a refusal means to the person who waits for it."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What the gateway does next; each needs one secret from the person."""

    SEND_CODE = "send_code"
    SIGN_IN = "sign_in"
    CHECK_PASSWORD = "check_password"  # noqa: S105 - the name of a step
    BOT = "bot"
    SESSION = "session"
    NOTHING = "nothing"  # a person is asked, and has not answered yet


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where the account stands after a refusal, and the reason shown."""

    status: str
    reason: str


def next_step(status: str, secrets: Collection[str], *, half_way: bool) -> Step:
    """From the account's status and the kinds of secrets that wait for use. `half_way`: a code was asked for before."""
    if status == "new":
        for kind, step in (("bot_token", Step.BOT), ("session_string", Step.SESSION), ("phone", Step.SEND_CODE)):
            if kind in secrets:
                return step
    if status == "code_required" and "phone" in secrets:
        if not half_way:
            return Step.SEND_CODE  # what was half way is lost: begin again
        if "code" in secrets:
            return Step.SIGN_IN
    if status == "password_required" and "password" in secrets and half_way:
        return Step.CHECK_PASSWORD
    return Step.NOTHING


_CODE = "code_required"
_PASSWORD = "password_required"  # noqa: S105 - a status

REFUSALS: dict[str, Verdict] = {
    "PHONE_CODE_INVALID": Verdict(_CODE, "That code is wrong: check it and enter it again."),
    "PHONE_CODE_EMPTY": Verdict(_CODE, "The code is missing: enter it again."),
    "PHONE_CODE_EXPIRED": Verdict(_CODE, "That code has expired: ask for a new one."),
    "PHONE_CODE_HASH_EMPTY": Verdict(_CODE, "That code has expired: ask for a new one."),
    "PASSWORD_HASH_INVALID": Verdict(_PASSWORD, "That password is wrong: enter it again."),
    "SRP_PASSWORD_CHANGED": Verdict(_PASSWORD, "The password was changed a moment ago: enter the new one."),
    "SRP_ID_INVALID": Verdict(_PASSWORD, "Telegram could not check the password: enter it again."),
    "PHONE_NUMBER_INVALID": Verdict("disabled", "Telegram does not know this phone number."),
    "PHONE_NUMBER_UNOCCUPIED": Verdict("disabled", "There is no Telegram account with this phone number."),
    "PHONE_NUMBER_BANNED": Verdict("disabled", "Telegram has banned this phone number."),
    "PHONE_PASSWORD_FLOOD": Verdict("disabled", "Too many log-ins of this phone number: try again tomorrow."),
    "ACCESS_TOKEN_INVALID": Verdict("disabled", "Telegram does not know this bot token."),
    "ACCESS_TOKEN_EXPIRED": Verdict("disabled", "This bot token is no longer valid."),
    "SESSION_OF_A_BOT": Verdict("disabled", "This log-in belongs to a bot: connect it as kind bot, by its token."),
    "SESSION_OF_ANOTHER": Verdict(
        "disabled", "This log-in belongs to another Telegram account than before: connect it as an account of its own."
    ),
    "SESSION_IN_USE": Verdict(
        "disabled", "Another account here uses this session, and Telegram ends one that is used twice: log in anew."
    ),
    "SESSION_OF_A_USER": Verdict("disabled", "This log-in belongs to a person: connect it as kind user."),
    "AUTH_KEY_UNREGISTERED": Verdict("disabled", "Telegram does not know this session (any more): log in anew."),
    "AUTH_KEY_NOT_FOUND": Verdict("disabled", "Telegram does not know this session (any more): log in anew."),
    "SESSION_STRING_INVALID": Verdict("disabled", "This is not a session string of Telethon."),
}


def refusal(name: str, *, message: str) -> Verdict:
    """What to tell after Telegram refused a step; `message` is the error table's sentence for what is not listed."""
    return REFUSALS.get(name) or Verdict("disabled", message)
