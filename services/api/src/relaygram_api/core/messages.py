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

    @property
    def is_caption(self) -> bool:
        """Whether it goes under a photo or file."""
        return bool(self.attachments)


def message_at(campaign: Mapping[str, Any], steps: Sequence[Step], position: int) -> Message | None:
    """What the campaign sends at this place of its sequence; None when there is nothing."""
    if not steps:
        body = Message(0, campaign["body"], tuple(campaign["attachments"]), is_body=True)
        return body if position == 0 else None
    found = [step for step in steps if step.position == position]
    return Message(position, found[0].body, found[0].attachments, is_body=False) if found else None


def sent_texts(campaign: Mapping[str, Any], steps: Sequence[Step]) -> Iterator[str]:
    """Every text that the campaign sends: with steps its body is none of them."""
    if not steps:
        yield campaign["body"]
    for step in steps:
        yield from (text for _, text, _ in texts(step))
