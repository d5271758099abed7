"""What was sent over a channel, in the shape that messaging providers have."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from relaygram_client.models.shape import Shape


class _Camel(Shape):
    """Named as Python does; `as_json` gives the API's names."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    def as_json(self) -> dict[str, Any]:
        """As the API says it."""
        return self.model_dump(mode="json", by_alias=True)


class ChannelPrice(_Camel):
    """What the message cost."""

    price_per_message: float
    currency: str


class ChannelStatus(_Camel):
    """How the message stands; `group_name` is like PENDING, DELIVERED, REJECTED."""

    group_id: int
    group_name: str
    id: int
    name: str
    description: str


class ChannelError(_Camel):
    """Why it did not arrive; `NO_ERROR` when nothing is wrong."""

    group_id: int
    group_name: str
    id: int
    name: str
    description: str
    permanent: bool


class ChannelPlatform(_Camel):
    """The campaign's marks."""

    entity_id: str | None
    application_id: str | None


class ChannelContent(_Camel):
    """What was sent."""

    text: str | None
    type: str


class ChannelLogRow(_Camel):
    """One message to one person."""

    sender: str | None
    destination: str | None
    bulk_id: str | None
    message_id: str
    sent_at: datetime
    done_at: datetime | None
    message_count: int
    price: ChannelPrice
    status: ChannelStatus
    error: ChannelError
    platform: ChannelPlatform
    content: ChannelContent


class ChannelCursor(_Camel):
    """How to go on."""

    limit: int
    next_cursor: str | None


class ChannelLog(_Camel):
    """A page, newest first; it may hold fewer rows than asked for while there is a cursor."""

    results: list[ChannelLogRow]
    cursor: ChannelCursor | None = None
