"""What the channel logs say of a message: its status and its error, in the words and numbers of messaging providers.

One table by our codes. A code without a row is told by the state that its message is in, and by whether it is final.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

GeneralStatus = Literal["ACCEPTED", "PENDING", "UNDELIVERABLE", "DELIVERED", "EXPIRED", "REJECTED"]
GROUPS: Final[tuple[GeneralStatus, ...]] = get_args(GeneralStatus)
ERROR_GROUPS: Final = ("OK", "HANDSET_ERRORS", "USER_ERRORS", "OPERATOR_ERRORS")


@dataclass(frozen=True, slots=True)
class Status:
    """How a message stands."""

    group: GeneralStatus
    id: int
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Why it did not arrive. `permanent`: the same message, sent again, fails the same way."""

    group_id: int
    id: int
    name: str
    description: str
    permanent: bool


ACCEPTED: Final = Status("PENDING", 26, "PENDING_ACCEPTED", "Accepted; it waits for its turn.")
ENROUTE: Final = Status("PENDING", 7, "PENDING_ENROUTE", "On its way; it is being tried.")
DELIVERED: Final = Status("DELIVERED", 5, "DELIVERED_TO_HANDSET", "It has arrived at the recipient.")
_OPERATOR: Final = Status("UNDELIVERABLE", 4, "UNDELIVERABLE_REJECTED_OPERATOR", "The channel refused it.")
_NOT_DELIVERED: Final = Status("UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED", "It could not be delivered.")
_NOT_SENT: Final = Status("UNDELIVERABLE", 31, "UNDELIVERABLE_NOT_SENT", "It was withdrawn before it was sent.")
_EXPIRED: Final = Status("EXPIRED", 15, "EXPIRED_EXPIRED", "It was too late to send it.")
_UNCERTAIN: Final = Status("EXPIRED", 29, "EXPIRED_DLR_UNKNOWN", "What became of it can not be found out.")
_SENDER: Final = Status("REJECTED", 13, "REJECTED_SENDER", "The account that was to send it may not.")
_BLOCKLISTED: Final = Status(
    "REJECTED", 14, "REJECTED_DESTINATION_BLOCKLISTED", "The recipient is on the suppression list."
)
_NO_ROUTE: Final = Status("REJECTED", 19, "REJECTED_ROUTE_NOT_AVAILABLE", "No account is set up that could send it.")
_SYSTEM: Final = Status("REJECTED", 21, "REJECTED_SYSTEM_ERROR", "It could not be made ready for sending.")
_TOO_LONG: Final = Status("REJECTED", 25, "REJECTED_MESSAGE_TOO_LONG", "It is longer than the channel takes.")
_DESTINATION: Final = Status("REJECTED", 52, "REJECTED_DESTINATION", "The recipient can not be found or written to.")
_PLATFORM: Final = Status("REJECTED", 100, "UNDELIVERABLE_REJECTED_PLATFORM", "Its content can not be sent.")

NO_ERROR: Final = Fault(0, 0, "NO_ERROR", "No error.", permanent=False)
_UNKNOWN: Final = Fault(1, 255, "EC_UNKNOWN_ERROR", "The reason is not known.", permanent=False)
_PROVIDER: Final = Fault(1, 500, "EC_PROVIDER_GENERAL_ERROR", "The channel failed, for now.", permanent=False)
_NOBODY: Final = Fault(1, 7002, "EC_UNKNOWN_USER", "There is no such person any more, or never was.", permanent=True)
_BLOCKED: Final = Fault(1, 7003, "EC_BLOCKED_USER", "One of the two has blocked the other.", permanent=True)
_LOGGED_OUT: Final = Fault(1, 7004, "EC_UNAUTHORIZED_ACCESS", "The account's log-in has ended.", permanent=True)
_FORBIDDEN: Final = Fault(1, 7005, "EC_FORBIDDEN_ACCESS", "The person does not let this account write.", permanent=True)
_BAD: Final = Fault(1, 7006, "EC_BAD_REQUEST", "The channel can not take this as it is.", permanent=True)
_NO_CHAT: Final = Fault(1, 7010, "EC_NO_SESSION", "The person has not opened the conversation.", permanent=True)
_ACCOUNT: Final = Fault(1, 7011, "EC_ACCOUNT_ISSUE", "The account is banned, frozen or restricted.", permanent=True)
_UPLOAD: Final = Fault(1, 7014, "EC_MEDIA_UPLOAD_ERROR", "The file could not be uploaded.", permanent=False)
_NO_FILE: Final = Fault(1, 7015, "EC_MEDIA_METADATA_ERROR", "The file can not be read any more.", permanent=True)
_SPAM: Final = Fault(1, 7016, "EC_SPAM_RATE", "The account wrote to too many strangers.", permanent=True)
_TOO_FAST: Final = Fault(1, 7017, "EC_TOO_MANY_REQUESTS", "The account had to slow down for too long.", permanent=False)
_MEDIA: Final = Fault(1, 7022, "EC_MEDIA_UNSUPPORTED", "The channel does not take this file.", permanent=True)
_CONTENT: Final = Fault(1, 7027, "EC_BLOCKED_CONTENT", "The person takes no messages of this kind.", permanent=True)
_OPTED_OUT: Final = Fault(1, 7033, "EC_MARKETING_OPT_OUT", "The person asked for no more messages.", permanent=True)
_LONG: Final = Fault(2, 355, "EC_MSG_TEXT_TOO_LONG", "The text is too long.", permanent=True)
_CANCELLED: Final = Fault(2, 4100, "EC_MESSAGE_CANCELED", "It was no longer to be sent.", permanent=True)
_LATE: Final = Fault(2, 4101, "EC_VALIDITY_EXPIRED", "Its time was over.", permanent=True)
_THEIR_FAULT: Final = Fault(2, 7050, "EC_PROVIDER_INTERNAL_ERROR", "The channel had a fault.", permanent=False)
_TIMEOUT: Final = Fault(2, 7051, "EC_PROVIDER_TIMEOUT", "The channel did not answer in time.", permanent=False)
_REFUSED: Final = Fault(3, 810, "EC_FAILED_MESSAGE_DELIVERY", "The channel refused it for good.", permanent=True)
_OURS: Final = Fault(3, 7080, "EC_INTERNAL_ERROR", "This installation failed.", permanent=True)
_SETUP: Final = Fault(3, 7081, "EC_CONFIGURATION_ERROR", "This installation is not set up for it.", permanent=True)

Told = tuple[Status, Fault]
CODES: Final[dict[str, Told]] = {
    "USER_PRIVACY_RESTRICTED": (_NOT_DELIVERED, _FORBIDDEN),
    "PREMIUM_REQUIRED": (_NOT_DELIVERED, _FORBIDDEN),
    "PAYMENT_REQUIRED": (_NOT_DELIVERED, _FORBIDDEN),
    "CHAT_FORBIDDEN": (_NOT_DELIVERED, _FORBIDDEN),
    "CONTENT_NOT_ALLOWED": (_NOT_DELIVERED, _CONTENT),
    "BOT_CANNOT_START": (_NOT_DELIVERED, _NO_CHAT),
    "USER_BLOCKED": (_NOT_DELIVERED, _BLOCKED),
    "RECIPIENT_BLOCKED_BY_ACCOUNT": (_NOT_DELIVERED, _BLOCKED),
    "USER_DEACTIVATED": (_NOT_DELIVERED, _NOBODY),
    "USER_NOT_FOUND": (_DESTINATION, _NOBODY),
    "INVALID_RECIPIENT": (_DESTINATION, _BAD),
    "PEER_NOT_RESOLVED": (_DESTINATION, _BAD),
    "USER_IS_BOT": (_DESTINATION, _BAD),
    "PHONE_UNREADABLE": (_SYSTEM, _OURS),
    "INVALID_CONTENT": (_PLATFORM, _BAD),
    "MEDIA_STALE": (_PLATFORM, _UPLOAD),
    "MEDIA_GONE": (_PLATFORM, _NO_FILE),
    "SUPPRESSED": (_BLOCKLISTED, _OPTED_OUT),
    "STOPPED": (_NOT_SENT, _CANCELLED),
    "DELETED": (_NOT_SENT, _CANCELLED),
    "GONE": (_NOT_SENT, _CANCELLED),
    "REPLIED": (_NOT_SENT, _CANCELLED),
    "TRIGGER_EXPIRED": (_EXPIRED, _LATE),
    "EXPIRED": (_EXPIRED, _LATE),
    "NETWORK": (_NOT_DELIVERED, _TIMEOUT),
    "OUTCOME_UNKNOWN": (_UNCERTAIN, _TIMEOUT),
    "PEER_FLOOD": (_OPERATOR, _SPAM),
    "FLOOD_WAIT": (_EXPIRED, _TOO_FAST),
    "SLOWMODE_WAIT": (_EXPIRED, _TOO_FAST),
    "ACCOUNT_RESTRICTED": (_SENDER, _ACCOUNT),
    "ACCOUNT_BANNED": (_SENDER, _ACCOUNT),
    "ACCOUNT_FROZEN": (_SENDER, _ACCOUNT),
    "ACCOUNT_UNAUTHORIZED": (_SENDER, _LOGGED_OUT),
    "ACCOUNT_SESSION_DUPLICATED": (_SENDER, _LOGGED_OUT),
    "CONFIG_ERROR": (_NO_ROUTE, _SETUP),
    "LOG_INCOMPLETE": (_NOT_DELIVERED, _UNKNOWN),
    "UNKNOWN": (_NOT_DELIVERED, _UNKNOWN),
}
# One code, several reasons: which it was stands in the message. All of a code's are of one group, so that a filter by
# group needs the code alone.
_REASONS: Final[dict[str, tuple[tuple[re.Pattern[str], Told], ...]]] = {
    "INVALID_CONTENT": (
        (re.compile(r"\((MESSAGE|MEDIA_CAPTION)_TOO_LONG\)$|^The text has \d+ characters "), (_TOO_LONG, _LONG)),
        (re.compile(r"\((MEDIA|IMAGE|PHOTO|FILE|WEBPAGE)_\w+\)$"), (_PLATFORM, _MEDIA)),
    ),
    # Answered with a fault of its own, not silent.
    "NETWORK": ((re.compile(r": [A-Z][A-Z0-9_ ]+\.$"), (_OPERATOR, _THEIR_FAULT)),),
}
_BY_STATE: Final[dict[str, Told]] = {
    "queued": (ACCEPTED, NO_ERROR),
    "sending": (ENROUTE, NO_ERROR),
    "retrying": (ENROUTE, NO_ERROR),
    "sent": (DELIVERED, NO_ERROR),
    "delivered": (DELIVERED, NO_ERROR),
    "read": (DELIVERED, NO_ERROR),
    "replied": (DELIVERED, NO_ERROR),
}
# Of these the code decides; without one in the table: this.
_CODED: Final[dict[str, Told]] = {"failed": (_NOT_DELIVERED, _PROVIDER), "discarded": (_NOT_SENT, _CANCELLED)}


def told(state: str, code: str | None, message: str | None, *, permanent: bool | None) -> Told:
    """Status and error of a message."""
    if state in _BY_STATE:
        return _BY_STATE[state]
    if state == "expired":
        status, fault = CODES.get(code or "", (_EXPIRED, _LATE))
        return (status, fault) if status.group == "EXPIRED" else (_EXPIRED, fault)
    if code in CODES:
        found = (like for pattern, like in _REASONS.get(code, ()) if pattern.search(message or ""))
        return next(found, CODES[code])
    if state == "failed" and permanent:
        return _OPERATOR, _REFUSED
    return _CODED[state]


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that show one group: those in `states`, and of those in `coded` states some, by their code."""

    states: list[str]
    coded: list[str]
    codes: list[str]
    # Codes of other groups: rows without a code or with any other one belong here. None: such rows do not.
    other_codes: list[str] | None

    @property
    def is_empty(self) -> bool:
        """Whether no message ever shows this group."""
        return not (self.states or self.codes or self.other_codes)

    @property
    def has_failed(self) -> bool:
        """Whether all that show it failed, in the words of the logs: none is pending, none was sent."""
        return _BY_STATE.keys().isdisjoint(self.states)


def selection(group: GeneralStatus) -> Selection:
    """What a filter by this group lets through."""
    states = [state for state, (status, _) in _BY_STATE.items() if status.group == group]
    others = None
    if any(status.group == group for status, _ in _CODED.values()):
        others = [code for code, (status, _) in CODES.items() if status.group != group]
    return Selection(
        states=[*states, *(["expired"] if group == _EXPIRED.group else [])],
        coded=list(_CODED),
        codes=[code for code, (status, _) in CODES.items() if status.group == group],
        other_codes=others,
    )
