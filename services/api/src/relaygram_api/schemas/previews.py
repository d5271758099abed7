"""Previews."""

from pydantic import Field

from relaygram_api.schemas.envelopes import Shape


class PreviewedFor(Shape):
    """Whom the text was rendered for."""

    first_name: str | None
    last_name: str | None
    handle: str | None


class Preview(Shape):
    """A campaign's text as one person would get it."""

    text: str
    characters: int = Field(description="As Telegram counts: UTF-16 units, so an emoji is two.")
    limit: int = Field(description="How many Telegram takes.")
    tokens_without_value: list[str] = Field(
        description="Columns that this person has no value for: their fallback stands there, or nothing."
    )
    problem: str | None = Field(description="Why this text could not be sent to this person.")
    sender_id: int | None = Field(description="The contact; null for one who was given or made up.")
    contact: PreviewedFor
    step: int = Field(description="Which text of the campaign it is, from 0.")
    follow_up: int | None = Field(description="Which of the step's follow-ups; null: the step itself.")
    attachments: list[int]
