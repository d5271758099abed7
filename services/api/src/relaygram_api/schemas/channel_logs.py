"""The log of a channel, in the shape that messaging providers have."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from relaygram_api.core.channel_status import GeneralStatus

ErrorGroup = Literal["OK", "HANDSET_ERRORS", "USER_ERRORS", "OPERATOR_ERRORS"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class ChannelPrice(_Shape):
    """What the message cost."""

    price_per_message: float
    currency: str


class ChannelStatus(_Shape):
    """How the message stands."""

    group_id: int
    group_name: GeneralStatus
    id: int = Field(ge=0)
    name: str
    description: str


class ChannelError(_Shape):
    """Why it did not arrive; `NO_ERROR` when nothing is wrong."""

    group_id: int
    group_name: ErrorGroup
    id: int = Field(ge=0)
    name: str
    description: str
    permanent: bool


class ChannelPlatform(_Shape):
    """The campaign's marks."""

    entity_id: str | None
    application_id: str | None


class ChannelContent(_Shape):
    """What was sent."""

    text: str | None
    type: str


class ChannelLogRow(_Shape):
    """One message to one person."""

    sender: str | None
    destination: str | None
    bulk_id: str | None
    message_id: str
    sent_at: str
    done_at: str | None
    message_count: int
    price: ChannelPrice
    status: ChannelStatus
    error: ChannelError
    platform: ChannelPlatform
    content: ChannelContent


class ChannelCursor(_Shape):
    """How to go on; only with `useCursor`."""

    limit: int
    next_cursor: str | None


class ChannelLog(_Shape):
    """A page of the log, newest first. It may hold fewer rows than asked for, even none, while `nextCursor` goes on."""

    results: list[ChannelLogRow]
    cursor: ChannelCursor | None = None
