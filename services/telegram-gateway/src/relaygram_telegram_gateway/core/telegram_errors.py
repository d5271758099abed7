"""Telegram's errors, by their own names, as data: our code, a sentence for people, and what to do.

Matched by name only. Telethon's classes mislead: an unknown 406 about one recipient comes as an AuthKeyError, and
RANDOM_ID_DUPLICATE as a server error. What is not listed keeps Telegram's name.
"""

import re
from dataclasses import dataclass
from typing import Literal

from relaygram_telegram_gateway.core.outcomes import Accepted, Outcome, Refused, Unknown, Wait

Action = Literal[
    "fail", "fail_campaign", "re_resolve", "re_upload", "wait", "wait_chat", "cold", "rest", "disable", "retry", "done"
]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one error means."""

    action: Action
    code: str
    message: str


# Who refused for good in these ways is put on the workspace's suppression list.
SUPPRESSING_CODES = frozenset({"USER_BLOCKED", "USER_DEACTIVATED"})
# A restricted account without a time given rests this long.
RESTRICTED_SECONDS = 6 * 3600.0


def _rules(action: Action, code: str, message: str, *names: str) -> dict[str, Rule]:
    return dict.fromkeys(names, Rule(action, code, message))


RULES: dict[str, Rule] = {
    # The person.
    **_rules("fail", "USER_PRIVACY_RESTRICTED", "The person's privacy settings do not let this account write to them.",
             "USER_PRIVACY_RESTRICTED"),
    **_rules("fail", "PREMIUM_REQUIRED", "The person takes messages from strangers with Telegram Premium only.",
             "PRIVACY_PREMIUM_REQUIRED", "PREMIUM_ACCOUNT_REQUIRED"),
    **_rules("fail", "PAYMENT_REQUIRED", "The person takes paid messages only.",
             "ALLOW_PAYMENT_REQUIRED", "ALLOW_PAYMENT_REQUIRED_X", "BALANCE_TOO_LOW", "PAYMENT_UNSUPPORTED"),
    **_rules("fail", "USER_BLOCKED", "The person has blocked this account.", "USER_IS_BLOCKED"),
    **_rules("fail", "RECIPIENT_BLOCKED_BY_ACCOUNT", "This account has blocked the person.", "YOU_BLOCKED_USER"),
    **_rules("fail", "USER_DEACTIVATED", "The person's Telegram account no longer exists.", "INPUT_USER_DEACTIVATED"),
    **_rules("fail", "USER_NOT_FOUND", "Nobody on Telegram has this username or phone.",
             "USERNAME_NOT_OCCUPIED", "PHONE_NOT_OCCUPIED"),
    **_rules("fail", "INVALID_RECIPIENT", "This can not be a username or phone of Telegram.",
             "USERNAME_INVALID", "PHONE_NUMBER_INVALID"),
    **_rules("fail", "USER_IS_BOT", "The recipient is a bot, which this account can not write to.",
             "USER_IS_BOT", "USER_BOT_INVALID", "USER_BOT_REQUIRED", "USER_BOT"),
    **_rules("fail", "BOT_CANNOT_START", "A bot can write only to people who wrote to it first.",
             "BOT_METHOD_INVALID", "USER_NOT_MUTUAL_CONTACT"),
    **_rules("re_resolve", "PEER_NOT_RESOLVED", "Telegram does not let this account address the person.",
             "PEER_ID_INVALID", "USER_ID_INVALID", "CHAT_ID_INVALID", "PEER_ID_NOT_SUPPORTED"),
    **_rules("fail", "CHAT_FORBIDDEN", "This chat does not let the account write.",
             "CHAT_WRITE_FORBIDDEN", "CHAT_SEND_PLAIN_FORBIDDEN", "CHAT_SEND_MEDIA_FORBIDDEN",
             "CHAT_SEND_PHOTOS_FORBIDDEN", "CHAT_SEND_DOCS_FORBIDDEN", "CHAT_SEND_VIDEOS_FORBIDDEN",
             "CHAT_SEND_AUDIOS_FORBIDDEN", "CHAT_SEND_VOICES_FORBIDDEN", "CHAT_SEND_ROUNDVIDEOS_FORBIDDEN",
             "CHAT_SEND_STICKERS_FORBIDDEN", "CHAT_SEND_GIFS_FORBIDDEN", "CHAT_SEND_INLINE_FORBIDDEN",
             "CHAT_SEND_POLL_FORBIDDEN", "CHAT_SEND_GAME_FORBIDDEN", "CHAT_SEND_WEBPAGE_FORBIDDEN",
             "CHAT_RESTRICTED", "CHAT_ADMIN_REQUIRED", "USER_BANNED_IN_CHANNEL", "CHANNEL_PRIVATE", "TOPIC_CLOSED",
             "TOPIC_DELETED", "CHAT_GUEST_SEND_FORBIDDEN"),
    **_rules("fail", "CONTENT_NOT_ALLOWED", "The person does not take messages of this kind.",
             "VOICE_MESSAGES_FORBIDDEN"),
    # The content: it would fail for everybody.
    **_rules("fail_campaign", "INVALID_CONTENT", "Telegram does not take this content.",
             "MESSAGE_EMPTY", "MESSAGE_TOO_LONG", "MEDIA_CAPTION_TOO_LONG", "ENTITY_BOUNDS_INVALID",
             "ENTITIES_TOO_LONG", "ENTITY_MENTION_USER_INVALID", "BUTTON_DATA_INVALID", "BUTTON_TYPE_INVALID",
             "BUTTON_URL_INVALID", "BUTTON_USER_PRIVACY_RESTRICTED", "BUTTON_TEXT_INVALID", "REPLY_MARKUP_INVALID",
             "REPLY_MARKUP_TOO_LONG", "REPLY_MARKUP_GAME_EMPTY", "REPLY_MARKUP_BUY_EMPTY",
             "MEDIA_INVALID", "IMAGE_PROCESS_FAILED", "PHOTO_INVALID", "PHOTO_INVALID_DIMENSIONS", "PHOTO_EXT_INVALID",
             "PHOTO_SAVE_FILE_INVALID",
             "PHOTO_CONTENT_TYPE_INVALID", "PHOTO_CONTENT_URL_EMPTY", "FILE_PARTS_INVALID", "WEBPAGE_CURL_FAILED",
             "WEBPAGE_MEDIA_EMPTY", "SCHEDULE_TOO_MUCH", "SCHEDULE_DATE_TOO_LATE"),
    **_rules("re_upload", "MEDIA_STALE", "Telegram no longer has the file that was to be sent.",
             "FILE_REFERENCE_EXPIRED", "FILE_REFERENCE_EMPTY", "FILE_REFERENCE_INVALID", "MEDIA_EMPTY"),
    # Waits.
    **_rules("wait", "FLOOD_WAIT", "Telegram asks this account to slow down.",
             "FLOOD_WAIT_X", "FLOOD_PREMIUM_WAIT_X", "FLOOD_TEST_PHONE_WAIT_X"),
    **_rules("wait_chat", "SLOWMODE_WAIT", "This chat takes one message from time to time.", "SLOWMODE_WAIT_X"),
    **_rules("cold", "PEER_FLOOD", "Telegram limits this account's messages to people it does not know.",
             "PEER_FLOOD"),
    **_rules("rest", "ACCOUNT_RESTRICTED", "Telegram has restricted this account, for now.", "USER_RESTRICTED"),
    # The account.
    **_rules("disable", "ACCOUNT_BANNED", "Telegram has banned this account.",
             "USER_DEACTIVATED", "USER_DEACTIVATED_BAN", "PHONE_NUMBER_BANNED"),
    **_rules("disable", "ACCOUNT_UNAUTHORIZED", "Telegram has ended this log-in; log the account in again.",
             "AUTH_KEY_UNREGISTERED", "AUTH_KEY_INVALID", "SESSION_REVOKED", "SESSION_EXPIRED",
             "SESSION_PASSWORD_NEEDED", "AUTH_KEY_PERM_EMPTY", "ACTIVE_USER_REQUIRED", "AUTH_KEY_NOT_FOUND"),
    **_rules("disable", "ACCOUNT_SESSION_DUPLICATED",
             "The log-in was used in two places at once, so Telegram has ended it; log the account in again.",
             "AUTH_KEY_DUPLICATED"),
    **_rules("disable", "ACCOUNT_FROZEN", "Telegram has frozen this account.",
             "FROZEN_METHOD_INVALID", "FROZEN_PARTICIPANT_MISSING"),
    **_rules("disable", "CONFIG_ERROR", "Telegram refuses this installation's API id or version.",
             "API_ID_INVALID", "API_ID_PUBLISHED_FLOOD", "UPDATE_APP_TO_LOGIN"),
    # Telegram's own trouble.
    **_rules("retry", "NETWORK", "Telegram had a fault of its own.",
             "RPC_CALL_FAIL", "RPC_MCGET_FAIL", "WORKER_BUSY_TOO_LONG_RETRY", "MSG_WAIT_FAILED",
             "MSG_WAIT_TIMEOUT", "MT_SEND_QUEUE_TOO_LONG", "POSTPONED_TIMEOUT", "AUTH_KEY_UNSYNCHRONIZED", "TIMEOUT",
             "TIMEDOUT", "NO WORKERS RUNNING", "INTERDC_X_CALL_ERROR", "INTERDC_X_CALL_RICH_ERROR",
             "FILE_PART_X_MISSING"),  # of an upload, which begins anew
    **_rules("done", "", "Telegram has this message already.", "RANDOM_ID_DUPLICATE"),
}  # fmt: skip


# Kinds of errors of which Telegram has many, and makes more.
_FAMILIES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(pattern), RULES[like])
    for pattern, like in (
        (r"CHAT_SEND_\w+_FORBIDDEN|TOPIC_\w+", "CHAT_WRITE_FORBIDDEN"),
        (r"BUTTON_\w+|REPLY_MARKUP_\w+|KEYBOARD_\w+|ENTIT(Y|IES)_\w+|PHOTO_\w+|FILE_PARTS?_\w+", "MESSAGE_TOO_LONG"),
        (r"INTERDC_\w+", "RPC_CALL_FAIL"),
    )
)


@dataclass(frozen=True, slots=True)
class TelegramError:
    """An error as Telegram sent it, e.g. FLOOD_WAIT_7 with code 420."""

    name: str
    code: int


def rule_for(error: TelegramError) -> Rule:
    """The rule of the table, or what the kind of the code suggests."""
    name = error.name.upper()
    rule = RULES.get(name) or RULES.get(_without_number(name))
    rule = rule or next((like for pattern, like in _FAMILIES if pattern.fullmatch(name)), None)
    if rule is not None:
        return rule
    kind = abs(error.code)
    if kind == 401:
        return Rule("disable", f"TELEGRAM_{name}", f"Telegram has ended this log-in ({name}).")
    if kind == 420 and _number(name) is not None:
        return Rule("wait", f"TELEGRAM_{_without_number(name)}", f"Telegram asks this account to wait ({name}).")
    if kind == 420:
        return Rule("rest", f"TELEGRAM_{name}", f"Telegram restricts this account ({name}).")
    if kind >= 500 or kind == 303:  # 303: another data centre is meant; a new connection goes there
        return Rule("retry", "NETWORK", f"Telegram had a fault of its own ({name}).")
    return Rule("fail", f"TELEGRAM_{name}"[:100], f"Telegram refused the message ({name}).")


def outcome_of(error: TelegramError) -> Outcome:
    """What an answered error means for the message it answers."""
    rule = rule_for(error)
    seconds = _number(error.name)
    match rule.action:
        case "fail":
            return Refused(rule.code, _with_price(rule, seconds))
        case "fail_campaign":
            return Refused(rule.code, f"{rule.message} ({error.name})", pauses_campaign=True)
        case "re_resolve":
            return Refused(rule.code, rule.message, stale_peer=True)
        case "re_upload":
            return Refused(rule.code, rule.message, stale_media=True)
        case "wait":
            return Wait(float(max(1, seconds or 1)), "method", rule.code, rule.message)
        case "wait_chat":
            return Wait(float(max(1, seconds or 1)), "chat", rule.code, rule.message)
        case "cold":
            return Wait(None, "cold", rule.code, rule.message)
        case "rest":
            return Wait(RESTRICTED_SECONDS, "method", rule.code, rule.message)
        case "disable":
            return Wait(None, "account", rule.code, rule.message)
        case "retry":
            return Unknown(network_failure=True, reason=error.name)
        case "done":
            return Accepted(None)


def _with_price(rule: Rule, number: int | None) -> str:
    if rule.code != "PAYMENT_REQUIRED" or number is None:
        return rule.message
    return f"The person takes paid messages only: {number} Telegram Stars each."


def _without_number(name: str) -> str:
    return re.sub(r"_\d+", "_X", name, count=1)


def _number(name: str) -> int | None:
    found = re.search(r"_(\d+)", name)
    return int(found.group(1)) if found else None
