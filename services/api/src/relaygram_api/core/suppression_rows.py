"""One person for the suppression list: checked, and brought into the form that is stored."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from relaygram_api.core.contact_file import ADDRESS_COLUMNS, FileError, Record, csv_records, first_line, read_header
from relaygram_api.core.record_checks import LineError, bounded, record_errors

COLUMNS: Final = (*ADDRESS_COLUMNS, "reason")
DEFAULT_REASON: Final = "manual"
MOST_PEOPLE: Final = 10_000
_LONGEST_REASON = 255


@dataclass(slots=True)
class Listed:
    """Who must not be written to, and why."""

    telegram_user_id: int | None = None
    handle: str | None = None
    phone: str | None = None
    reason: str = DEFAULT_REASON


def check_listed(record: Record) -> Listed | list[LineError]:
    """The person of a line, or everything that is wrong with it."""
    listed = Listed()

    def put(column: str, value: str) -> None:
        if column != "reason":
            raise ValueError("is not a known field")
        listed.reason = bounded(value, _LONGEST_REASON)

    return record_errors(record, listed, put) or listed


def json_listed(number: int, item: Any) -> Record:
    """One object of a JSON list, numbered from 1. Values are texts, ids may be numbers."""
    if not isinstance(item, Mapping):
        return Record(number, {}, "is not an object")
    values: dict[str, str] = {}
    for name, value in item.items():
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            values[name] = str(value) or " "
        elif value is not None:
            return Record(number, {}, f"has a {name[:50]} that is neither text nor number")
    return Record(number, values)


def csv_listed(file: bytes) -> Iterator[Record]:
    """The lines of a CSV file. Raises FileError."""
    line = first_line(file)
    header = read_header(file if line is None else line)
    unknown = [name for name in header.columns if name not in COLUMNS]
    if unknown:
        raise FileError(f"line 1: {unknown[0][:50]} is none of the columns {', '.join(COLUMNS)}")
    return csv_records([file], header)


def sorted_out(records: Iterable[Record]) -> tuple[int, list[Listed], list[LineError]]:
    """How many lines there are, the people of the good ones, and what is wrong with the others."""
    received, people, errors = 0, list[Listed](), list[LineError]()
    for record in records:
        received += 1
        checked = check_listed(record)
        if isinstance(checked, Listed):
            people.append(checked)
        else:
            errors += checked
    return received, people, errors
