"""What became of delivery events that were given."""

from pydantic import Field

from relaygram_api.schemas.envelopes import Shape


class RejectedEvent(Shape):
    """An event that was not taken; sent again as it is, it is refused again."""

    index: int = Field(description="Its place in the list, from 0.")
    reason: str = Field(description="What is wrong with it.")


class TakenEvents(Shape):
    """How many of the events were taken; the three add up to those given."""

    accepted: int = Field(description="Of them new: they are on their way into the log.")
    duplicates: int = Field(description="Of them taken before, within 14 days, or given twice in this list.")
    rejected: list[RejectedEvent] = Field(description="Of them wrong.")
