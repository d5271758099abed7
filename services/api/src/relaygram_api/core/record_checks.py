"""What lines of people have in common, whatever the file is for: cells put one by one, and some address."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from relaygram_api.core.addresses import normal_handle, normal_phone, normal_user_id
from relaygram_api.core.contact_file import ADDRESS_COLUMNS, Record

_SHOWN: Final = 200


class Addressed(Protocol):
    """Who can be found by any of these."""

    telegram_user_id: int | None
    handle: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class LineError:
    """Why a line was not taken. `column` is empty when it is about the line as a whole."""

    line: int
    column: str
    value: str | None
    reason: str


def record_errors(record: Record, person: Addressed, put: Callable[[str, str], None]) -> list[LineError]:
    """Fill in a person; everything that is wrong with the line. `put` takes what is no address; raises ValueError."""
    if record.problem:
        return [LineError(record.line, "", None, record.problem)]
    errors: list[LineError] = []
    for column, raw in record.values.items():
        if not (value := raw.strip()):
            continue
        try:
            if "\0" in value:
                raise ValueError("contains the character NUL")
            if not _put_address(person, column, value):
                put(column, value)
        except ValueError as error:
            errors.append(LineError(record.line, column, shown(raw), str(error)))
    if not errors and (person.telegram_user_id, person.handle, person.phone) == (None, None, None):
        errors.append(LineError(record.line, "", None, f"has none of {', '.join(ADDRESS_COLUMNS)}"))
    return errors


def _put_address(person: Addressed, column: str, value: str) -> bool:
    match column:
        case "telegram_user_id":
            person.telegram_user_id = normal_user_id(value)
        case "handle":
            person.handle = normal_handle(value)
        case "phone":
            person.phone = normal_phone(value)
        case _:
            return False
    return True


def bounded(value: str, most: int) -> str:
    """The value. Raises ValueError."""
    if len(value) > most:
        raise ValueError(f"is longer than {most} characters")
    return value


def shown(value: str) -> str:
    """A rejected value as the report shows it: cut, and without what PostgreSQL can not hold."""
    return value[:_SHOWN].replace("\0", "\ufffd")
