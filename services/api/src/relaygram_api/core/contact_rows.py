"""One person of an import: checked, and brought into the form that is stored."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Final

from relaygram_api.core.contact_file import NAMED_COLUMNS, Record
from relaygram_api.core.record_checks import LineError, bounded, record_errors

LONGEST_NAME: Final = 255
LONGEST_VALUE: Final = 4096
_MOST_TAGS: Final = 100


@dataclass(slots=True)
class Person:
    """Who shall be written to."""

    line: int
    telegram_user_id: int | None = None
    handle: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    tags: list[str] = field(default_factory=list)
    time_zone: str | None = None
    columns: dict[str, str] = field(default_factory=dict)


def check_record(record: Record, time_zones: Set[str]) -> Person | list[LineError]:
    """The person of a line, or everything that is wrong with it."""
    person = Person(record.line)
    return record_errors(record, person, lambda column, value: _put(person, column, value, time_zones)) or person


def _put(person: Person, column: str, value: str, time_zones: Set[str]) -> None:
    match column:
        case "first_name":
            person.first_name = bounded(value, LONGEST_NAME)
        case "last_name":
            person.last_name = bounded(value, LONGEST_NAME)
        case "tags":
            person.tags = normal_tags(value)
        case "time_zone":
            if value not in time_zones:
                raise ValueError("is not an IANA time zone, such as Europe/Berlin")
            person.time_zone = value
        case _:
            person.columns[column] = bounded(value, LONGEST_VALUE)


def normal_tags(value: str) -> list[str]:
    """The tags of a cell, each once. Raises ValueError."""
    tags = list(dict.fromkeys(tag for part in value.split("|") if (tag := part.strip())))
    if len(tags) > _MOST_TAGS or any(len(tag) > LONGEST_NAME for tag in tags):
        raise ValueError(f"has more than {_MOST_TAGS} tags, or one longer than {LONGEST_NAME} characters")
    return tags


def json_record(number: int, item: Any) -> Record:
    """One object of a JSON import, numbered from 1. Values are texts or numbers; tags may be a list."""
    if not isinstance(item, Mapping):
        return Record(number, {}, "is not an object")
    values: dict[str, str] = {}
    for name, value in item.items():
        if name == "tags" and isinstance(value, list) and all(isinstance(tag, str) for tag in value):
            values[name] = "|".join(value)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            values[name] = str(value)
        elif value is not None:
            return Record(number, {}, f"has a {name[:50]} that is neither text nor number")
        if name not in NAMED_COLUMNS and not 0 < len(name.strip()) <= 100:
            return Record(number, {}, "has a column with an empty or too long name")
    return Record(number, values)
