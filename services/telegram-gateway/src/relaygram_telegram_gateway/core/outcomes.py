"""What became of one attempt to send. There are four outcomes and no fifth; unknown is one of them."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal[
    "method",  # the account may not call this method for so long
    "chat",  # this chat takes nothing for so long
    "cold",  # the account may not write to people it does not know; Telegram does not say how long
    "account",  # the account is out of service until somebody logs it in again
]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Telegram has the message. Its id is None when only a repetition of the `random_id` told so."""

    message_id: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Telegram will not have it: final for this person."""

    code: str
    message: str
    pauses_campaign: bool = False  # would be refused for everybody
    stale_peer: bool = False  # what we know of the person is out of date: find them again, once
    stale_media: bool = False  # Telegram wants the file again: upload it, once


@dataclass(frozen=True, slots=True)
class Wait:
    """Not accepted now; the same message again after the wait. Uses no attempt."""

    seconds: float | None  # None: Telegram does not say
    scope: Scope
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Accepted or not: nobody knows. The same `random_id` again, or a look into the chat, will tell."""

    network_failure: bool  # on a live connection (a 5xx, no answer in time): counts; a lost connection does not
    reason: str


Outcome = Accepted | Refused | Wait | Unknown


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """What decides whether a job may simply be sent (again) with its `random_id`."""

    may_be_on_wire: bool  # some attempt, of this process or another, may have reached Telegram
    age_seconds: float  # since the first attempt was admitted
    looked_up: bool  # since the last attempt ended, its chat was read and does not hold it
    has_history: bool  # bots can not read chats


def must_look_first(facts: AttemptFacts, *, trust_seconds: float) -> bool:
    """Whether the chat must be read before this job is sent again.

    The age counts from the first attempt, not the last: Telegram remembers a `random_id` from when it accepted it, and
    any attempt may have been the accepted one.
    """
    return facts.may_be_on_wire and facts.has_history and not facts.looked_up and facts.age_seconds > trust_seconds


def answer_is_overdue(
    *, sent_at: float, last_heard_at: float, now: float, timeout_seconds: float
) -> Literal["no", "failed", "ask"]:
    """A request without an answer: `failed` on a connection that is alive, `ask` when it may be dead: ping it."""
    if now - sent_at < timeout_seconds:
        return "no"
    return "failed" if last_heard_at > sent_at else "ask"
