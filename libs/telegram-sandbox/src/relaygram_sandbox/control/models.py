"""Bodies that the control plane takes. Unknown fields are refused, so that a typing error is no silent default."""

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator
from telethon.tl.alltlobjects import tlobjects

from relaygram_sandbox.errors import is_error_name
from relaygram_sandbox.tl import method_name
from relaygram_sandbox.world.directory import is_username, phone_digits

MAX_USERS_AT_ONCE = 10_000
_MAX_ID = 2**53 - 1
_MAX_SECONDS = 366 * 24 * 3600.0

UserId = Annotated[int, Field(ge=1, le=_MAX_ID)]
Seconds = Annotated[float, Field(ge=0, le=_MAX_SECONDS, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=4096)]
Name = Annotated[str, Field(min_length=1, max_length=64)]


@cache
def _known_methods() -> frozenset[str]:
    requests = (kind for kind in tlobjects.values() if kind.__module__.startswith("telethon.tl.functions"))
    return frozenset(method_name(kind) for kind in requests)


class Body(BaseModel):
    """What all bodies have in common."""

    model_config = ConfigDict(extra="forbid")


class Reply(Body):
    """What a person answers to every message it gets."""

    text: Text
    after_seconds: Seconds = 0.0


def _username(value: str | None) -> str | None:
    if value is not None and not is_username(value):
        raise ValueError("a username has 3 to 32 letters, digits or underscores and begins with a letter")
    return value


def _phone(value: str | None) -> str | None:
    if value is not None and (not value.startswith("+") or phone_digits(value) is None):
        raise ValueError("a phone is a plus and 5 to 15 digits")
    return value


class Person(Body):
    """What new people and changes have in common."""

    username: str | None = None
    phone: str | None = None
    last_name: Name | None = None
    password: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    bot_token: Annotated[str, Field(min_length=3, max_length=256)] | None = None
    reply: Reply | None = None
    reads_after_seconds: Seconds | None = None

    _check_username = field_validator("username")(_username)
    _check_phone = field_validator("phone")(_phone)

    def columns(self) -> dict[str, Any]:
        """The fields that were given, by the names of the store's columns."""
        given = self.model_dump(exclude_unset=True, exclude={"reply"})
        if "reply" in self.model_fields_set:
            given["reply_text"] = self.reply.text if self.reply else None
            given["reply_after_seconds"] = self.reply.after_seconds if self.reply else None
        return given


class NewUser(Person):
    """A person to make."""

    id: UserId | None = None
    first_name: Name
    privacy: Literal["everyone", "contacts"] = "everyone"
    state: Literal["active", "deactivated", "blocked"] = "active"


class UserChange(Person):
    """Changes of a person; what is left out stays."""

    first_name: Name = ""
    privacy: Literal["everyone", "contacts"] = "everyone"
    state: Literal["active", "deactivated", "blocked"] = "active"


def _one_or_list(body: Any) -> str:
    return "list" if isinstance(body, list) else "one"


NewUsers = Annotated[
    Annotated[NewUser, Tag("one")]
    | Annotated[
        Annotated[list[NewUser], Field(min_length=1, max_length=MAX_USERS_AT_ONCE)],
        Tag("list"),
    ],
    Discriminator(_one_or_list),
]


class InboundMessage(Body):
    """What a person writes to an account."""

    to_id: UserId
    text: Text


class ReadMark(Body):
    """How far a person has read; without max_id everything."""

    peer_id: UserId
    max_id: Annotated[int, Field(ge=1, le=_MAX_ID)] | None = None


class FaultAction(Body):
    """Exactly one of these."""

    error: str | None = None
    drop: Literal["before", "after"] | None = None
    delay_seconds: Seconds | None = None
    silent: Literal[True] | None = None
    revoke_session: Literal[True] | None = None

    @field_validator("error")
    @classmethod
    def _check_error(cls, value: str | None) -> str | None:
        if value is not None and not is_error_name(value):
            raise ValueError("the name of a Telegram error, such as FLOOD_WAIT_7")
        return value

    @model_validator(mode="after")
    def _check_one(self) -> "FaultAction":
        if len([value for value in self.model_dump().values() if value is not None]) != 1:
            raise ValueError("give exactly one of error, drop, delay_seconds, silent, revoke_session")
        return self


class Fault(Body):
    """Which requests go wrong, and how."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    action: FaultAction
    method: str | None = None
    account_id: UserId | None = None
    peer_id: UserId | None = None
    after: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0

    @field_validator("method")
    @classmethod
    def _check_method(cls, value: str | None) -> str | None:
        if value is not None and value not in _known_methods():
            raise ValueError("the TL name of a method, such as messages.sendMessage")
        return value


class SettingsChange(Body):
    """Settings to change; what is left out stays."""

    strict_sessions: bool = True
    random_id_policy: Literal["error", "replay"] = "error"
    random_id_memory_seconds: Seconds | None = None
    file_reference_seconds: Seconds | None = None
    difference_limit: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    short_messages: bool = False


class LimitsChange(Body):
    """Limits to change; null switches one off, what is left out stays."""

    messages_per_second: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    per_chat_seconds: Annotated[Seconds, Field(gt=0)] | None = None
    new_account_hourly: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
