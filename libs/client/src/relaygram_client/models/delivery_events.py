"""Delivery events of other channels."""

from relaygram_client.models.shape import Shape


class RejectedEvent(Shape):
    """An event that was not taken; sent again as it is, it is refused again."""

    #: Its place in the list, from 0.
    index: int
    reason: str


class TakenEvents(Shape):
    """How many events were taken; the three add up to those given."""

    accepted: int
    #: Taken before, within 14 days, or given twice in the list.
    duplicates: int
    rejected: list[RejectedEvent]
