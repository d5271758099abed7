"""Many lines at once, column by column: an order of magnitude faster than line by line, where nothing is wrong."""

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, fields
from typing import Any

from relaygram_api.core.addresses import normal_handle, normal_phone, normal_user_id
from relaygram_api.core.contact_file import ADDRESS_COLUMNS, NAMED_COLUMNS
from relaygram_api.core.contact_rows import LONGEST_NAME, LONGEST_VALUE, Person, normal_tags

Cells = Sequence[str | None]


@dataclass(slots=True)
class ContactColumns:
    """People, a list for each attribute; the n-th of each belong together."""

    line: Sequence[int]
    telegram_user_id: Sequence[int | None]
    handle: Cells
    phone: Cells
    first_name: Cells
    last_name: Cells
    tags: Sequence[Sequence[str]]
    time_zone: Cells
    columns: Sequence[dict[str, str]]

    def __len__(self) -> int:
        return len(self.line)


def of_people(people: Iterable[Person]) -> ContactColumns:
    """People who were checked one by one."""
    listed = list(people)
    return ContactColumns(*([getattr(one, field.name) for one in listed] for field in fields(ContactColumns)))


def check_columns(
    names: Sequence[str], lines: Sequence[int], rows: Sequence[Sequence[str]], time_zones: Set[str]
) -> ContactColumns | None:
    """The people of these lines, or None when anything is wrong with any of them: then each is looked at alone.

    What is wrong is the same as in `check_record`, and so are the people.
    """
    if any(len(cells) != len(names) for cells in rows):
        return None
    try:
        found = {
            name: _check(name, cells, time_zones) for name, cells in zip(names, zip(*rows, strict=True), strict=True)
        }
    except ValueError:
        return None
    nobody: list[None] = [None] * len(rows)
    addresses = [found.get(name, nobody) for name in ADDRESS_COLUMNS]
    if any(address == (None, None, None) for address in zip(*addresses, strict=True)):
        return None
    return ContactColumns(
        line=lines,
        telegram_user_id=found.get("telegram_user_id", nobody),
        handle=found.get("handle", nobody),
        phone=found.get("phone", nobody),
        first_name=found.get("first_name", nobody),
        last_name=found.get("last_name", nobody),
        tags=found.get("tags") or [()] * len(rows),
        time_zone=found.get("time_zone", nobody),
        columns=_free_columns({name: cells for name, cells in found.items() if name not in NAMED_COLUMNS}, len(rows)),
    )


def _check(name: str, cells: Sequence[str], time_zones: Set[str]) -> list[Any]:
    if "\0" in "".join(cells):
        raise ValueError("contains the character NUL")
    values = [cell.strip() or None for cell in cells]
    match name:
        case "telegram_user_id":
            return _each(normal_user_id, values)
        case "handle":
            return _each(normal_handle, values)
        case "phone":
            return _each(normal_phone, values)
        case "tags":
            known: dict[str | None, list[str]] = {value: normal_tags(value) if value else [] for value in set(values)}
            return [known[value] for value in values]
        case "time_zone":
            if not set(values) <= {*time_zones, None}:
                raise ValueError("is not an IANA time zone")
            return values
    longest = LONGEST_NAME if name in NAMED_COLUMNS else LONGEST_VALUE
    if any(value is not None and len(value) > longest for value in values):
        raise ValueError(f"is longer than {longest} characters")
    return values


def _each(normal: Callable[[str], Any], values: Cells) -> list[Any]:
    return [None if value is None else normal(value) for value in values]


def _free_columns(found: dict[str, Cells], count: int) -> list[dict[str, str]]:
    if not found:
        return [{}] * count
    names = tuple(found)
    return [
        {name: value for name, value in zip(names, values, strict=True) if value is not None}
        for values in zip(*found.values(), strict=True)
    ]
