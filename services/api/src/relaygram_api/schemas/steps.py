"""Steps of a campaign."""

from typing import Any

from pydantic import Field

from relaygram_api.schemas.envelopes import Shape


class FollowUpShown(Shape):
    """A further text for those who have not replied."""

    after_hours: float = Field(description="So long after the step was sent, unless the person has replied by then.")
    body: str


class Step(Shape):
    """One message of a sequence."""

    step_id: int = Field(description="Names the step wherever it is moved: give it back to change this very step.")
    position: int = Field(description="Its place, from 0; the log's `sequence_step`.")
    body: str
    delay_seconds: int = Field(description="So long after the step before it was really sent.")
    attachments: list[int]
    followups: list[FollowUpShown] = Field(description="In the order they are sent.")


class StepList(Shape):
    """The steps of a campaign in their order; without any it sends its body."""

    data: list[Step]
    meta: dict[str, Any] = Field(default_factory=dict)
