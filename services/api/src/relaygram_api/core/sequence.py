"""The steps of a campaign: what they may look like, and which of them is which when the list is replaced."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from relaygram_api.core.message_texts import message_problem

MOST_STEPS: Final = 100
MOST_FOLLOW_UPS: Final = 20
LONGEST_DELAY_SECONDS: Final = 365 * 24 * 60 * 60
LONGEST_WINDOW_HOURS: Final = 365 * 24
# The identity of the step in the body's place.
BODY: Final = 0

Problems = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What is sent to who has not replied so long after the step."""

    after_hours: float
    body: str


@dataclass(frozen=True, slots=True)
class Step:
    """One message of a sequence. A new one has no number yet; its identity is that number, or 0."""

    position: int
    body: str
    delay_seconds: int = 0
    attachments: tuple[int, ...] = ()
    followups: tuple[FollowUp, ...] = ()
    step_id: int | None = None
    identity: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Replaced:
    """What makes an old list the new one."""

    steps: list[Step]
    removed: list[int]
    changed: list[Step]
    added: list[Step]

    @property
    def is_same(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.removed or self.changed or self.added)


def in_order(places: Sequence[int | None]) -> list[int] | None:
    """By which of the given steps each position is taken; None when their positions are not 0, 1, 2 and so on."""
    if all(place is None for place in places):
        return list(range(len(places)))
    wanted = {place: given for given, place in enumerate(places)}
    if None in places or set(wanted) != set(range(len(places))):
        return None
    return [wanted[place] for place in range(len(places))]


def replaced(old: Sequence[Step], given: Sequence[Step]) -> Replaced:
    """The old list with the given one in its place: a step is who it was by its number, else by its position."""
    by_id = {step.step_id: step for step in old}
    named = {step.step_id for step in given if step.step_id is not None}
    by_position = {step.position: step for step in old if step.step_id not in named}
    steps: list[Step] = []
    for step in given:
        was = by_id[step.step_id] if step.step_id is not None else by_position.get(step.position)
        steps.append(replace(step, step_id=was.step_id, identity=was.identity) if was else step)
    has_body_identity = any(step.identity == BODY for step in steps)
    steps = [
        replace(step, identity=BODY) if step.step_id is None and step.position == 0 and not has_body_identity else step
        for step in steps
    ]
    kept = {step.step_id for step in steps}
    return Replaced(
        steps=steps,
        removed=[step.step_id for step in old if step.step_id is not None and step.step_id not in kept],
        changed=[step for step in steps if step.step_id is not None and step != by_id[step.step_id]],
        added=[step for step in steps if step.step_id is None],
    )


def texts(step: Step) -> Iterator[tuple[str, str, bool]]:
    """(field, text, whether it is a caption) of a step and its follow-ups."""
    yield "body", step.body, bool(step.attachments)
    for number, follow_up in enumerate(step.followups):
        yield f"followups.{number}.body", follow_up.body, False


def sequence_problems(
    old: Sequence[Step], given: Sequence[Step], *, known: Collection[str] | None, media: Collection[int]
) -> Problems:
    """What is wrong with a new list, by field; `media` are the ids that there are. Fields are by position."""
    problems: Problems = {}
    ids = {step.step_id for step in old}
    seen: set[int] = set()
    for step in given:
        at = f"steps.{step.position}"
        if step.step_id is not None and step.step_id not in ids:
            problems[f"{at}.step_id"] = ["is no step of this campaign"]
        elif step.step_id in seen:
            problems[f"{at}.step_id"] = ["is given twice"]
        elif step.step_id is not None:
            seen.add(step.step_id)
        if step.position == 0 and step.delay_seconds:
            problems[f"{at}.delay_seconds"] = ["must be 0: there is no step before the first"]
        if missing := [str(one) for one in step.attachments if one not in media]:
            problems[f"{at}.attachments"] = [f"there is no media {', '.join(missing)} in this workspace"]
        problems |= text_problems([step], known)
    return problems


def text_problems(steps: Sequence[Step], known: Collection[str] | None) -> Problems:
    """What is wrong with their texts, by field."""
    return {
        f"steps.{step.position}.{name}": [problem]
        for step in steps
        for name, text, is_caption in texts(step)
        if (problem := message_problem(text, known, is_caption=is_caption))
    }


def shown_step(step: Step) -> Mapping[str, Any]:
    """As callers see it."""
    return {
        "step_id": step.step_id,
        "position": step.position,
        "body": step.body,
        "delay_seconds": step.delay_seconds,
        "attachments": list(step.attachments),
        "followups": shown_follow_ups(step),
    }


def shown_follow_ups(step: Step) -> list[dict[str, Any]]:
    """For JSON; whole hours without a fraction."""
    return [
        {"after_hours": int(one.after_hours) if one.after_hours == int(one.after_hours) else one.after_hours,
         "body": one.body}
        for one in step.followups
    ]  # fmt: skip
