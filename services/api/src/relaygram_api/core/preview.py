"""What a campaign's text looks like for one person, before it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from relaygram_api.core.messages import Message
from relaygram_common.templates import (
    MAX_CAPTION_UNITS,
    MAX_TEXT_UNITS,
    person_values,
    text_for,
    text_problem,
    text_units,
    tokens_without_value,
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom the text is rendered for; the handle without `@`. No `sender_id`: nobody of the campaign."""

    sender_id: int | None = None
    first_name: str | None = None
    last_name: str | None = None
    handle: str | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)


# Stands in while the campaign has no contacts.
MADE_UP: Final = Reader(first_name="Jane", last_name="Doe", handle="jane_doe")


def shown_preview(message: Message, reader: Reader) -> dict[str, Any]:
    """The text as this person would get it, and what is to know about it."""
    template, is_caption = message.template, message.is_caption
    names = {"first_name": reader.first_name, "last_name": reader.last_name, "handle": reader.handle}
    text = text_for(template, **names, columns=reader.columns)
    return {
        "text": text,
        "characters": text_units(text),
        "limit": MAX_CAPTION_UNITS if is_caption else MAX_TEXT_UNITS,
        "tokens_without_value": tokens_without_value(template, person_values(**names, columns=reader.columns)),
        "problem": text_problem(text, is_caption=is_caption),
        "sender_id": reader.sender_id,
        "contact": {**names, "handle": f"@{reader.handle}" if reader.handle else None},
        "step": message.step,
        "follow_up": message.follow_up,
        "attachments": list(message.attachments),
    }
