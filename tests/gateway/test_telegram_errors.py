"""Every line of the table of Telegram's errors: what each means for the message, its campaign and its account."""

import re
from typing import Literal

import pytest
from telethon import errors
from telethon.errors import rpcerrorlist

from relaygram_telegram_gateway.adapters.telethon_errors import telegram_error
from relaygram_telegram_gateway.core import telegram_errors
from relaygram_telegram_gateway.core.outcomes import Accepted, Outcome, Refused, Unknown, Wait
from relaygram_telegram_gateway.core.telegram_errors import TelegramError, outcome_of, rule_for

What = Literal[
    "fail", "fail and pause", "find anew", "upload anew", "wait", "chat waits", "cold", "rest", "disable", "retry",
    "done",
]  # fmt: skip

# As Telegram sends it, with the number of its kind → our code, what we do.
TABLE: list[tuple[str, int, str, What]] = [
    ("USER_PRIVACY_RESTRICTED", 403, "USER_PRIVACY_RESTRICTED", "fail"),
    ("PRIVACY_PREMIUM_REQUIRED", 403, "PREMIUM_REQUIRED", "fail"),
    ("PRIVACY_PREMIUM_REQUIRED", 406, "PREMIUM_REQUIRED", "fail"),
    ("ALLOW_PAYMENT_REQUIRED_1775", 403, "PAYMENT_REQUIRED", "fail"),
    ("ALLOW_PAYMENT_REQUIRED", 406, "PAYMENT_REQUIRED", "fail"),
    ("BALANCE_TOO_LOW", 400, "PAYMENT_REQUIRED", "fail"),
    ("PAYMENT_UNSUPPORTED", 406, "PAYMENT_REQUIRED", "fail"),
    ("USER_IS_BLOCKED", 403, "USER_BLOCKED", "fail"),
    ("YOU_BLOCKED_USER", 400, "RECIPIENT_BLOCKED_BY_ACCOUNT", "fail"),
    ("INPUT_USER_DEACTIVATED", 400, "USER_DEACTIVATED", "fail"),
    ("USER_DEACTIVATED", 401, "ACCOUNT_BANNED", "disable"),
    ("USER_DEACTIVATED_BAN", 401, "ACCOUNT_BANNED", "disable"),
    ("AUTH_KEY_UNREGISTERED", 401, "ACCOUNT_UNAUTHORIZED", "disable"),
    ("AUTH_KEY_INVALID", 401, "ACCOUNT_UNAUTHORIZED", "disable"),
    ("SESSION_REVOKED", 401, "ACCOUNT_UNAUTHORIZED", "disable"),
    ("SESSION_EXPIRED", 401, "ACCOUNT_UNAUTHORIZED", "disable"),
    ("SESSION_PASSWORD_NEEDED", 401, "ACCOUNT_UNAUTHORIZED", "disable"),
    ("AUTH_KEY_PERM_EMPTY", 401, "ACCOUNT_UNAUTHORIZED", "disable"),
    ("AUTH_KEY_DUPLICATED", 406, "ACCOUNT_SESSION_DUPLICATED", "disable"),
    ("PHONE_NUMBER_BANNED", 400, "ACCOUNT_BANNED", "disable"),
    ("UPDATE_APP_TO_LOGIN", 406, "CONFIG_ERROR", "disable"),
    ("API_ID_INVALID", 400, "CONFIG_ERROR", "disable"),
    ("API_ID_PUBLISHED_FLOOD", 400, "CONFIG_ERROR", "disable"),
    ("FROZEN_METHOD_INVALID", 420, "ACCOUNT_FROZEN", "disable"),
    ("FROZEN_PARTICIPANT_MISSING", 400, "ACCOUNT_FROZEN", "disable"),
    ("USER_RESTRICTED", 403, "ACCOUNT_RESTRICTED", "rest"),
    ("USER_RESTRICTED", 406, "ACCOUNT_RESTRICTED", "rest"),
    ("PEER_FLOOD", 400, "PEER_FLOOD", "cold"),
    ("FLOOD_WAIT_7", 420, "FLOOD_WAIT", "wait"),
    ("FLOOD_PREMIUM_WAIT_7", 420, "FLOOD_WAIT", "wait"),
    ("SLOWMODE_WAIT_7", 420, "SLOWMODE_WAIT", "chat waits"),
    ("USERNAME_NOT_OCCUPIED", 400, "USER_NOT_FOUND", "fail"),
    ("USERNAME_INVALID", 400, "INVALID_RECIPIENT", "fail"),
    ("PHONE_NOT_OCCUPIED", 400, "USER_NOT_FOUND", "fail"),
    ("PHONE_NUMBER_INVALID", 400, "INVALID_RECIPIENT", "fail"),
    ("PHONE_NUMBER_INVALID", 406, "INVALID_RECIPIENT", "fail"),
    ("PEER_ID_INVALID", 400, "PEER_NOT_RESOLVED", "find anew"),
    ("PEER_ID_INVALID", 404, "PEER_NOT_RESOLVED", "find anew"),
    ("USER_ID_INVALID", 400, "PEER_NOT_RESOLVED", "find anew"),
    ("CHAT_WRITE_FORBIDDEN", 403, "CHAT_FORBIDDEN", "fail"),
    ("CHAT_SEND_PHOTOS_FORBIDDEN", 403, "CHAT_FORBIDDEN", "fail"),
    ("CHAT_SEND_SOMETHING_NEW_FORBIDDEN", 403, "CHAT_FORBIDDEN", "fail"),
    ("CHAT_RESTRICTED", 400, "CHAT_FORBIDDEN", "fail"),
    ("CHAT_ADMIN_REQUIRED", 400, "CHAT_FORBIDDEN", "fail"),
    ("USER_BANNED_IN_CHANNEL", 400, "CHAT_FORBIDDEN", "fail"),
    ("CHANNEL_PRIVATE", 406, "CHAT_FORBIDDEN", "fail"),
    ("TOPIC_CLOSED", 406, "CHAT_FORBIDDEN", "fail"),
    ("TOPIC_DELETED", 406, "CHAT_FORBIDDEN", "fail"),
    ("CHAT_GUEST_SEND_FORBIDDEN", 403, "CHAT_FORBIDDEN", "fail"),
    ("VOICE_MESSAGES_FORBIDDEN", 400, "CONTENT_NOT_ALLOWED", "fail"),
    ("MESSAGE_EMPTY", 400, "INVALID_CONTENT", "fail and pause"),
    ("MESSAGE_TOO_LONG", 400, "INVALID_CONTENT", "fail and pause"),
    ("MEDIA_CAPTION_TOO_LONG", 400, "INVALID_CONTENT", "fail and pause"),
    ("ENTITY_BOUNDS_INVALID", 400, "INVALID_CONTENT", "fail and pause"),
    ("ENTITIES_TOO_LONG", 400, "INVALID_CONTENT", "fail and pause"),
    ("BUTTON_DATA_INVALID", 400, "INVALID_CONTENT", "fail and pause"),
    ("BUTTON_SOMETHING_NEW_INVALID", 400, "INVALID_CONTENT", "fail and pause"),
    ("REPLY_MARKUP_TOO_LONG", 400, "INVALID_CONTENT", "fail and pause"),
    ("MEDIA_INVALID", 400, "INVALID_CONTENT", "fail and pause"),
    ("PHOTO_INVALID_DIMENSIONS", 400, "INVALID_CONTENT", "fail and pause"),
    ("FILE_PARTS_INVALID", 400, "INVALID_CONTENT", "fail and pause"),
    ("WEBPAGE_CURL_FAILED", 400, "INVALID_CONTENT", "fail and pause"),
    ("FILE_REFERENCE_EXPIRED", 400, "MEDIA_STALE", "upload anew"),
    ("FILE_REFERENCE_EMPTY", 400, "MEDIA_STALE", "upload anew"),
    ("RANDOM_ID_DUPLICATE", 500, "", "done"),
    ("SCHEDULE_TOO_MUCH", 400, "INVALID_CONTENT", "fail and pause"),
    ("SCHEDULE_DATE_TOO_LATE", 400, "INVALID_CONTENT", "fail and pause"),
    ("RPC_CALL_FAIL", 500, "NETWORK", "retry"),
    ("RPC_MCGET_FAIL", 500, "NETWORK", "retry"),
    ("WORKER_BUSY_TOO_LONG_RETRY", 500, "NETWORK", "retry"),
    ("INTERDC_2_CALL_ERROR", 500, "NETWORK", "retry"),
    ("INTERDC_4_CALL_RICH_ERROR", 500, "NETWORK", "retry"),
    ("MSG_WAIT_FAILED", 500, "NETWORK", "retry"),
    ("MT_SEND_QUEUE_TOO_LONG", 500, "NETWORK", "retry"),
    ("SOMETHING_BROKE", 500, "NETWORK", "retry"),
    ("No workers running", -500, "NETWORK", "retry"),
    ("Timeout", -503, "NETWORK", "retry"),
    ("POSTPONED_TIMEOUT", 500, "NETWORK", "retry"),
    ("AUTH_KEY_UNSYNCHRONIZED", 406, "NETWORK", "retry"),
    ("USER_MIGRATE_4", 303, "NETWORK", "retry"),
    ("SOMETHING_NEW", 400, "TELEGRAM_SOMETHING_NEW", "fail"),
    ("SOMETHING_NEW", 403, "TELEGRAM_SOMETHING_NEW", "fail"),
    ("SOMETHING_NEW", 406, "TELEGRAM_SOMETHING_NEW", "fail"),  # Telethon: an AuthKeyError
    ("SOMETHING_NEW", 401, "TELEGRAM_SOMETHING_NEW", "disable"),
    ("SOMETHING_NEW", 420, "TELEGRAM_SOMETHING_NEW", "rest"),
    ("SOMETHING_NEW_WAIT_7", 420, "TELEGRAM_SOMETHING_NEW_WAIT_X", "wait"),
]


def _what(outcome: Outcome) -> What:
    match outcome:
        case Refused(pauses_campaign=True):
            return "fail and pause"
        case Refused(stale_peer=True):
            return "find anew"
        case Refused(stale_media=True):
            return "upload anew"
        case Refused():
            return "fail"
        case Wait(scope="account"):
            return "disable"
        case Wait(scope="cold"):
            return "cold"
        case Wait(scope="chat"):
            return "chat waits"
        case Wait(seconds=telegram_errors.RESTRICTED_SECONDS):
            return "rest"
        case Wait():
            return "wait"
        case Unknown():
            return "retry"
        case Accepted():
            return "done"


class _Raw:
    def __init__(self, name: str, code: int) -> None:
        self.error_message, self.error_code = name, code


@pytest.mark.parametrize(("name", "code", "ours", "what"), TABLE)
def test_every_line_of_the_table(name: str, code: int, ours: str, what: What) -> None:
    """By the way it really comes: through Telethon's classes, which mislead."""
    error = telegram_error(errors.rpc_message_to_error(_Raw(name, code), None))
    assert error is not None
    assert rule_for(error).code == ours
    outcome = outcome_of(error)
    assert _what(outcome) == what
    if isinstance(outcome, Refused | Wait):
        assert outcome.code == ours
        assert outcome.message.endswith((".", ")"))
    if what in ("wait", "chat waits"):
        assert isinstance(outcome, Wait)
        assert outcome.seconds == 7.0


def test_the_price_is_told() -> None:
    outcome = outcome_of(TelegramError("ALLOW_PAYMENT_REQUIRED_1775", 403))
    assert isinstance(outcome, Refused)
    assert outcome.message == "The person takes paid messages only: 1775 Telegram Stars each."


def test_whatever_telethon_knows_has_a_code_and_a_sentence() -> None:
    """Some 800 names, most of which can never answer a message: none of them is without an answer of ours."""
    for name, cls in rpcerrorlist.rpc_errors_dict.items():
        if name != name.upper():
            continue
        code = int(getattr(cls, "code", None) or 400)
        rule = rule_for(TelegramError(name, code))
        assert rule.action == "done" or re.fullmatch(r"[A-Z0-9_]{2,100}", rule.code), name
        assert rule.message
        outcome_of(TelegramError(name, code))


def test_one_recipient_never_ends_the_account() -> None:
    """Unknown 406es come as AuthKeyError: by its class the whole account would be disabled for one person."""
    for name in ("ALLOW_PAYMENT_REQUIRED_5", "PRIVACY_PREMIUM_REQUIRED", "TOPIC_CLOSED", "SOMETHING_NEW"):
        raised = errors.rpc_message_to_error(_Raw(name, 406), None)
        error = telegram_error(raised)
        assert error is not None
        assert isinstance(outcome_of(error), Refused), name
