"""Who a campaign's message went to, start by start."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from relaygram_client.models.shape import Shape


class SendLog(Shape):
    """One start of one step of a campaign. `destinations` is a number, or a list where that was asked for."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    id: str = Field(alias="_id")
    campaign_id: str = Field(alias="campaign_id")
    #: Before names were put in.
    message: str | None
    triggered_by: Literal["broadcast", "schedule", "sequence", "follow_up", "auto_reply", "test"] | str
    start_delivery_at: datetime
    destinations: int | list[str]

    def as_json(self) -> dict[str, Any]:
        """As the API says it."""
        return self.model_dump(mode="json", by_alias=True)


class SendLogSearch(Shape):
    """What a search found; `parsed` is the search as it was understood."""

    total: int
    send_logs: list[SendLog]
    parsed: dict[str, Any]
