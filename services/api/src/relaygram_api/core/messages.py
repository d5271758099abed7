"""Which text a campaign sends first, or as one of its steps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relaygram_api.core.sequence import Step, texts


@dataclass(frozen=True, slots=True)
class Message:
    """A text with what goes along with it. `step` is its position; `is_body`: no step has it."""

    step: int
    template: str
    attachments: tuple[int, ...]
    is_body: bool
    follow_up: int | None = None

    @property
    def is_caption(self) -> bool:
        """Whether it goes under a photo or file."""
        return bool(self.attachments)


class NoSuchMessageError(ValueError):
    """There is nothing at this place."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


def message_at(
    campaign: Mapping[str, Any], steps: Sequence[Step], position: int, follow_up: int | None = None
) -> Message:
    """What the campaign sends at this place of its sequence. Raises NoSuchMessageError."""
    found = [step for step in steps if step.position == position]
    if (steps and not found) or (not steps and position > 0):
        last = max(0, len(steps) - 1)
        raise NoSuchMessageError("step", f"there is none at this position; the last is {last}")
    follow_ups = found[0].followups if found else ()
    if follow_up is not None:
        if follow_up >= len(follow_ups):
            raise NoSuchMessageError(
                "follow_up", f"there is none with this number; step {position} has {len(follow_ups)}"
            )
        return Message(position, follow_ups[follow_up].body, (), is_body=False, follow_up=follow_up)
    if not found:
        return Message(0, campaign["body"], tuple(campaign["attachments"]), is_body=True)
    return Message(position, found[0].body, found[0].attachments, is_body=False)


def sent_texts(campaign: Mapping[str, Any], steps: Sequence[Step]) -> Iterator[str]:
    """Every text that the campaign sends: with steps its body is none of them."""
    if not steps:
        yield campaign["body"]
    for step in steps:
        yield from (text for _, text, _ in texts(step))
