"""The steps of a campaign."""

from relaygram_client.models.shape import Shape


class FollowUp(Shape):
    """A further text for those who have not replied so long after the step."""

    after_hours: float
    body: str


class Step(Shape):
    """One message of a sequence."""

    #: Names the step wherever it is moved: give it back to change this very step.
    step_id: int
    position: int
    body: str
    #: So long after the step before it was really sent.
    delay_seconds: int
    attachments: list[int]
    followups: list[FollowUp]
