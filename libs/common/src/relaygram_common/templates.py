"""Message templates: `{{column}}` and `{{column|fallback}}`. Logic-less: a value is put in, nothing is run."""

import re
from collections.abc import Collection, Mapping
from typing import Final

# Whatever stands between two pairs of braces: a name, and after `|` what stands there for people who have no value.
_TOKEN = re.compile(r"\{\{([^{}|]*)(?:\|([^{}]*))?\}\}")
_WHOLE_TOKEN = re.compile(r"\{\{[^{}]*\}\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_NAME = 100
_SHOWN = 50
# What Telegram takes in one text message and under a photo or file, counted as it counts: UTF-16 units.
MAX_TEXT_UNITS: Final = 4096
MAX_CAPTION_UNITS: Final = 1024
# What a template may ask of anybody; all else are columns that came with the contacts.
PERSON_TOKENS: Final = ("first_name", "last_name", "handle")


def tokens(template: str) -> list[str]:
    """The columns a template asks for, in order of appearance."""
    return [match.group(1).strip() for match in _TOKEN.finditer(template)]


def unknown_tokens(template: str, known: Collection[str]) -> list[str]:
    """The columns a template asks for that nobody has, each once."""
    return [name for name in dict.fromkeys(tokens(template)) if name not in known and name not in PERSON_TOKENS]


def tokens_without_value(template: str, values: Mapping[str, str | None]) -> list[str]:
    """The columns a template asks for in vain, each once: there its fallback stands, or nothing."""
    return [name for name in dict.fromkeys(tokens(template)) if not values.get(name)]


def render(template: str, values: Mapping[str, str | None]) -> str:
    """The text for one person; an empty or unknown column gives its fallback, or nothing."""

    def value(match: re.Match[str]) -> str:
        return values.get(match.group(1).strip()) or (match.group(2) or "").strip()

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
    values = person_values(first_name, last_name, handle, columns)
    return render(template.replace("\0", ""), values).replace("\0", "")


def template_problem(template: str, *, is_caption: bool = False) -> str | None:
    """Why a text can not be a message template; None when it can. Then no braces of it can reach anybody."""
    if "\0" in template:
        return "must not contain the character NUL"
    if not template.strip() and not is_caption:
        return "must not be blank"
    for name, token in ((match.group(1).strip(), match.group(0)) for match in _TOKEN.finditer(template)):
        if not 1 <= len(name) <= _LONGEST_NAME or _CONTROL.search(name):
            return f"has a token that is neither {{{{name}}}} nor {{{{name|fallback}}}}: {token[:_SHOWN]}"
    between = _WHOLE_TOKEN.split(template)
    if problem := _brace_problem(between):
        return problem
    limit = MAX_CAPTION_UNITS if is_caption else MAX_TEXT_UNITS
    if sum(map(text_units, between)) > limit:
        return f"is longer than {limit} characters{_where(is_caption)} (as Telegram counts: UTF-16 units)"
    return None


def _brace_problem(between: list[str]) -> str | None:
    """What stands between tokens must not be one, nor make one with what stands beside it."""
    for place, piece in enumerate(between):
        for braces, other in (("{{", "}}"), ("}}", "{{")):
            if braces in piece:
                return f"has {braces} without {other}, or braces within braces: {_around(piece, braces)}"
        if (place > 0 and piece.startswith("}")) or (place + 1 < len(between) and piece.endswith("{")):
            return "has three braces in a row: a token has two on each side"
    return None


def _around(piece: str, braces: str) -> str:
    start = max(0, piece.find(braces) - _SHOWN // 2)
    return piece[start : start + _SHOWN].strip()


def text_problem(text: str, *, is_caption: bool = False) -> str | None:
    """Why this text can not be sent to its person, in a sentence; None when it can. A caption may be empty."""
    if not text.strip():
        return None if is_caption else "The text is empty for this person."
    units, limit = text_units(text), MAX_CAPTION_UNITS if is_caption else MAX_TEXT_UNITS
    if units > limit:
        return f"The text has {units} characters for this person; Telegram takes {limit}{_where(is_caption)}."
    return None


def _where(is_caption: bool) -> str:
    return " under a photo or file" if is_caption else ""


def text_units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 units, so an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
