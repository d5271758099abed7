"""Contact files: what their header says, and their lines one by one, whatever their size."""

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

ADDRESS_COLUMNS: Final = ("telegram_user_id", "handle", "phone")
NAMED_COLUMNS: Final = (*ADDRESS_COLUMNS, "first_name", "last_name", "tags", "time_zone")
LONGEST_LINE: Final = 1024 * 1024
MOST_COLUMNS: Final = 200
_LONGEST_NAME = 100
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class FileError(ValueError):
    """The file can not be read; the text says why, and where."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: the columns by place, and what stands between them."""

    columns: tuple[str, ...]
    delimiter: str


@dataclass(frozen=True, slots=True)
class Record:
    """One person's line. `problem` when the line itself is not as the header says; then there are no values."""

    line: int
    values: dict[str, str]
    problem: str | None = None


def first_line(beginning: bytes) -> bytes | None:
    """The header line, or None while it has not all come."""
    end = beginning.find(b"\n")
    if end >= 0:
        return beginning[: end + 1]
    if len(beginning) > LONGEST_LINE:
        raise FileError("line 1: there is no line end within 1 MiB; is this a CSV file?")
    return None


def read_header(line: bytes) -> Header:
    """Understand the first line. Raises FileError."""
    if line.startswith(_UTF16_MARKS):
        raise FileError("the file is UTF-16; save it as UTF-8")
    try:
        text = line.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError:
        raise FileError("line 1: the file is not UTF-8") from None
    if not text.strip():
        raise FileError("line 1: there is no header line")
    delimiter = ";" if text.count(";") > text.count(",") else ","
    try:
        cells = next(csv.reader([text], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        raise FileError("line 1: the header has a quote that is not closed, or is followed by more text") from None
    header = Header(tuple(_column_name(cell) for cell in cells), delimiter)
    _check_columns(header.columns)
    return header


def _column_name(cell: str) -> str:
    name = cell.strip()
    return name.lower() if name.lower() in NAMED_COLUMNS else name


def _check_columns(columns: tuple[str, ...]) -> None:
    if len(columns) > MOST_COLUMNS:
        raise FileError(f"line 1: more than {MOST_COLUMNS} columns")
    for place, name in enumerate(columns, start=1):
        if not name:
            raise FileError(f"line 1: column {place} has no name")
        if len(name) > _LONGEST_NAME or "\0" in name:
            raise FileError(f"line 1: column {place} has a name that is too long or not text")
        if name in columns[: place - 1]:
            raise FileError(f"line 1: there are two columns {name}")
    if not set(columns) & set(ADDRESS_COLUMNS):
        raise FileError(f"line 1: the header has none of the columns {', '.join(ADDRESS_COLUMNS)}")


def csv_records(chunks: Iterable[bytes], header: Header) -> Iterator[Record]:
    """The lines after the header; empty ones are passed over. Raises FileError where nothing can follow."""
    return (csv_record(header, line, cells) for line, cells in csv_rows(chunks, header))


def csv_record(header: Header, line: int, cells: Sequence[str]) -> Record:
    """One line by its columns."""
    if len(cells) != len(header.columns):
        return Record(line, {}, f"has {len(cells)} fields, the header has {len(header.columns)}")
    return Record(line, dict(zip(header.columns, cells, strict=True)))


def csv_rows(chunks: Iterable[bytes], header: Header) -> Iterator[tuple[int, list[str]]]:
    """The same lines as numbers and cells, as they stand. Raises FileError where nothing can follow."""
    reader = csv.reader(_text_lines(chunks), delimiter=header.delimiter, strict=True)
    line = 1
    try:
        next(reader)
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except StopIteration:
        return
    except csv.Error as error:
        raise FileError(f"line {line}: {_reason(error)}; nothing after it can be read") from None


def _reason(error: csv.Error) -> str:
    if "new-line" in str(error):
        return "a line end that is a carriage return alone"
    if "limit" in str(error):
        return "a field of more than 128 KiB: probably a quote that is opened and not closed"
    return "a quote is opened and not closed, or is followed by more text"


def _text_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
    rest, number = "", 0
    try:
        for chunk in chunks:
            *lines, rest = (rest + decoder.decode(chunk)).split("\n")
            for text in lines:
                number += 1
                yield text + "\n"
            if len(rest) > LONGEST_LINE:
                raise FileError(f"line {number + 1}: longer than 1 MiB")
        rest += decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise FileError(f"line {number + 1} or a little later: the file is not UTF-8") from None
    if rest:
        yield rest
