"""Message templates: `{{column}}` and `{{column|fallback}}`. Logic-less: a value is put in, nothing is run."""

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_ -]{0,99}?)\s*(?:\|([^{}]*))?\}\}")
# What Telegram takes in one text message, counted as it counts: UTF-16 units.
MAX_TEXT_UNITS = 4096


def tokens(template: str) -> list[str]:
    """The columns a template asks for, in order of appearance."""
    return [match.group(1) for match in _TOKEN.finditer(template)]


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


def text_units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 units, so an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
