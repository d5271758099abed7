"""What one person is sent, rendered; and whether Telegram would take it."""

from collections.abc import Mapping

from relaygram_common.templates import MAX_TEXT_UNITS, person_values, render, text_units


def text_for(
    template: str,
    *,
    first_name: str | None,
    last_name: str | None,
    handle: str | None,
    columns: Mapping[str, str | None],
) -> str:
    """The campaign's text with the person's values; NUL is no character that PostgreSQL or Telegram know."""
    return render(template, person_values(first_name, last_name, handle, columns)).replace("\0", "")


def text_problem(text: str) -> str | None:
    """Why this text can not be sent to this person, in a sentence; None when it can."""
    if not text.strip():
        return "The text is empty for this person."
    units = text_units(text)
    if units > MAX_TEXT_UNITS:
        return f"The text has {units} characters for this person; Telegram takes {MAX_TEXT_UNITS}."
    return None
