"""Message templates: `{{column}}` and `{{column|fallback}}`. Logic-less: a value is put in, nothing is run."""

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_ -]{0,99}?)\s*(?:\|([^{}]*))?\}\}")
# What Telegram takes in one text message, counted as it counts: UTF-16 units.
MAX_TEXT_UNITS = 4096


def tokens(template: str) -> list[str]:
    """The columns a template asks for, in order of appearance."""
    return [match.group(1) for match in _TOKEN.finditer(template)]


def tokens_without_value(template: str, values: Mapping[str, str | None]) -> list[str]:
    """The columns a template asks for in vain, each once: there its fallback stands, or nothing."""
    return [name for name in dict.fromkeys(tokens(template)) if not values.get(name)]


def render(template: str, values: Mapping[str, str | None]) -> str:
    """The text for one person; an empty or unknown column gives its fallback, or nothing."""

    def value(match: re.Match[str]) -> str:
        return values.get(match.group(1)) or (match.group(2) or "").strip()

    return _TOKEN.sub(value, template)


def person_values(
    first_name: str | None, last_name: str | None, handle: str | None, columns: Mapping[str, str | None]
) -> dict[str, str | None]:
    """What a template may ask of one person; the named fields win over free columns of the same name."""
    shown = f"@{handle}" if handle else None  # stored without the sign
    return {**columns, "first_name": first_name, "last_name": last_name, "handle": shown}


def text_for(
    template: str,
    *,
    first_name: str | None,
    last_name: str | None,
    handle: str | None,
    columns: Mapping[str, str | None],
) -> str:
    """What one person is sent. NUL is no character that PostgreSQL or Telegram know."""
    return render(template, person_values(first_name, last_name, handle, columns)).replace("\0", "")


def text_problem(text: str) -> str | None:
    """Why this text can not be sent to its person, in a sentence; None when it can."""
    if not text.strip():
        return "The text is empty for this person."
    units = text_units(text)
    if units > MAX_TEXT_UNITS:
        return f"The text has {units} characters for this person; Telegram takes {MAX_TEXT_UNITS}."
    return None


def text_units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 units, so an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
