"""Reads a contact file in blocks that are ready to be copied into PostgreSQL. It is all computing, done in a thread."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import orjson

from relaygram_api.core import copy_text
from relaygram_api.core.contact_columns import ContactColumns, check_columns, of_people
from relaygram_api.core.contact_file import NAMED_COLUMNS, Header, Record, csv_record, csv_rows, first_line, read_header
from relaygram_api.core.contact_rows import Person, check_record, json_record
from relaygram_api.core.record_checks import LineError
from relaygram_common.security.sealing import Sealer

_BLOCK = 25_000


@dataclass(frozen=True, slots=True)
class Block:
    """Some thousand lines."""

    lines: range
    people: bytes  # COPY text, in the order of CONTACT_COLUMNS
    errors: list[LineError]


class ContactReading:
    """One file being read: how many of its lines were read and found good so far, and their free columns."""

    def __init__(self, file_format: str, campaign_id: int, sealer: Sealer, time_zones: frozenset[str]) -> None:
        self.received = 0
        self.valid = 0
        self.columns = set[str]()  # beside those that have a meaning of their own
        self._format = file_format
        self._phone_owner = f"contact-phone:{campaign_id}"
        self._sealer = sealer
        self._time_zones = time_zones

    def blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """The file's lines. Raises FileError where nothing can follow."""
        return self._csv_blocks(chunks) if self._format == "csv" else self._json_blocks(chunks)

    def _csv_blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        beginning, line = b"", None
        for chunk in chunks:
            beginning += chunk
            if (line := first_line(beginning)) is not None:
                break
        header = read_header(line or beginning)
        self.columns.update(set(header.columns).difference(NAMED_COLUMNS))
        rows = csv_rows(_after(beginning, chunks), header)
        while taken := list(islice(rows, _BLOCK)):
            yield self._csv_block(header, taken)

    def _csv_block(self, header: Header, rows: list[tuple[int, list[str]]]) -> Block:
        lines, cells = zip(*rows, strict=True)
        columns = check_columns(header.columns, lines, cells, self._time_zones)
        if columns is None:
            return self._checked_one_by_one([csv_record(header, line, cells) for line, cells in rows])
        return self._block(lines, columns, [])

    def _json_blocks(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        contacts = orjson.loads(b"".join(chunks))["contacts"]
        records = (json_record(number, item) for number, item in enumerate(contacts, start=1))
        while taken := list(islice(records, _BLOCK)):
            yield self._checked_one_by_one(taken)

    def _checked_one_by_one(self, records: list[Record]) -> Block:
        people, errors = list[Person](), list[LineError]()
        for record in records:
            checked = check_record(record, self._time_zones)
            if isinstance(checked, Person):
                people.append(checked)
                self.columns.update(checked.columns)
            else:
                errors += checked
        return self._block([record.line for record in records], of_people(people), errors)

    def _block(self, lines: Sequence[int], columns: ContactColumns, errors: list[LineError]) -> Block:
        self.received += len(lines)
        self.valid += len(columns)
        return Block(range(lines[0], lines[-1] + 1), self._copied(columns), errors)

    def _copied(self, people: ContactColumns) -> bytes:
        sealer, owner = self._sealer, self._phone_owner
        return copy_text.rows(
            copy_text.plain_column(people.line),
            copy_text.plain_column(people.telegram_user_id),
            copy_text.text_column(people.handle),
            copy_text.bytes_column([sealer.seal(phone, owner=owner) if phone else None for phone in people.phone]),
            copy_text.bytes_column([sealer.fingerprint(phone) if phone else None for phone in people.phone]),
            copy_text.text_column(people.first_name),
            copy_text.text_column(people.last_name),
            copy_text.array_column(people.tags),
            copy_text.text_column(people.time_zone),
            copy_text.text_column([orjson.dumps(free).decode() for free in people.columns]),
        )


def _after(beginning: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield beginning
    yield from chunks
