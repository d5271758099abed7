"""Reads a form with one file piece by piece: the file goes on as it comes, all else is a few short words."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import python_multipart
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from relaygram_api.errors import invalid

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FILE = "file"
_LONGEST_WORD = 100
_LONGEST_HEAD = 4096
Write = Callable[[bytes], Awaitable[None]]


@dataclass(slots=True)
class Form:
    """What stood in it."""

    file_name: str | None = None
    has_file: bool = False
    words: dict[str, str] = field(default_factory=dict)


class _Reading:
    """The parser's callbacks; what they say of the file is kept until it is taken."""

    def __init__(self, words: frozenset[str]) -> None:
        self.form = Form()
        self.is_complete = False
        self.pieces: list[bytes] = []
        self._words = words
        self._head = bytearray()
        self._heads: dict[str, bytes] = {}
        self._head_bytes = 0
        self._head_name = ""
        self._part = ""
        self._word = bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        """For the parser."""
        return {
            "on_part_begin": self.on_part_begin,
            "on_header_field": self.on_header_field,
            "on_header_value": self.on_header_value,
            "on_header_end": self.on_header_end,
            "on_headers_finished": self.on_headers_finished,
            "on_part_data": self.on_part_data,
            "on_part_end": self.on_part_end,
            "on_end": self.on_end,
        }

    def on_part_begin(self) -> None:
        self._heads, self._head_bytes, self._part = {}, 0, ""
        self._word.clear()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._add_head(data[start:end])

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        if not self._head_name:
            self._head_name = bytes(self._head).decode("latin-1").lower()
            self._head.clear()
        self._add_head(data[start:end])

    def on_header_end(self) -> None:
        self._heads[self._head_name] = bytes(self._head)
        self._head.clear()
        self._head_name = ""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._heads.get("content-disposition", b""))
        self._part = _decoded(options.get(b"name", b""))
        if self._part == _FILE:
            if self.form.has_file:
                raise invalid({_FILE: ["is given twice"]})
            self.form.has_file = True
            self.form.file_name = _decoded(options[b"filename"]) if b"filename" in options else None
        elif self._part not in self._words:
            raise invalid({self._part or "body": ["is not a known field"]})

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part == _FILE:
            self.pieces.append(data[start:end])
            return
        self._word += data[start:end]
        if len(self._word) > _LONGEST_WORD:
            raise invalid({self._part: [f"is longer than {_LONGEST_WORD} bytes"]})

    def on_part_end(self) -> None:
        if self._part != _FILE:
            self.form.words[self._part] = _decoded(bytes(self._word))

    def on_end(self) -> None:
        self.is_complete = True

    def _add_head(self, piece: bytes) -> None:
        self._head += piece
        self._head_bytes += len(piece)
        if self._head_bytes > _LONGEST_HEAD:
            raise invalid({"body": ["is not a form: a part's headers have no end"]})


async def read_form(content_type: str, body: AsyncIterator[bytes], write: Write, words: frozenset[str]) -> Form:
    """Hand the file's bytes on as they come. Raises a 422 for what is no form, or has other fields."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise invalid({"body": ["is not a form: its Content-Type names no boundary of 1 to 70 characters"]})
    reading = _Reading(words)
    try:
        parser = python_multipart.MultipartParser(boundary, reading.callbacks())
        async for piece in body:
            parser.write(piece)
            for found in reading.pieces:
                await write(found)
            reading.pieces.clear()
        parser.finalize()
    except FormParserError:
        raise invalid({"body": ["is not a form as multipart/form-data has it"]}) from None
    if not reading.is_complete:
        raise invalid({"body": ["is a form without its end"]})
    return reading.form


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")
