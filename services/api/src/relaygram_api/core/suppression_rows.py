"""One person for the suppression list: checked, and brought into the form that is stored."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from relaygram_api.core.addresses import normal_handle, normal_phone, normal_user_id
from relaygram_api.core.contact_file import ADDRESS_COLUMNS, FileError, Record, csv_records, first_line, read_header
from relaygram_api.core.contact_rows import LineError, shown

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
    if record.problem:
        return [LineError(record.line, "", None, record.problem)]
    listed, errors = Listed(), list[LineError]()
    for column, raw in record.values.items():
        value = raw.strip()
        if value:
            try:
                _put(listed, column, value)
            except ValueError as error:
                errors.append(LineError(record.line, column, shown(raw), str(error)))
    if not errors and (listed.telegram_user_id, listed.handle, listed.phone) == (None, None, None):
        errors.append(LineError(record.line, "", None, f"has none of {', '.join(ADDRESS_COLUMNS)}"))
    return errors or listed


def _put(listed: Listed, column: str, value: str) -> None:
    if "\0" in value:
        raise ValueError("contains the character NUL")
    match column:
        case "telegram_user_id":
            listed.telegram_user_id = normal_user_id(value)
        case "handle":
            listed.handle = normal_handle(value)
        case "phone":
            listed.phone = normal_phone(value)
        case "reason":
            if len(value) > _LONGEST_REASON:
                raise ValueError(f"is longer than {_LONGEST_REASON} characters")
            listed.reason = value
        case _:
            raise ValueError("is not a known field")


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
