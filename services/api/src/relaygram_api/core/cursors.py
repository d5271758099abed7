"""Cursors: opaque texts that say after which row a list goes on, and which list that is."""

import base64
import binascii
import json
from hashlib import blake2b
from typing import Any

_MAX = 2**63 - 1


class CursorError(ValueError):
    """The cursor is not one of ours, or belongs to another list; the text says so to people."""


def listing(name: str, **narrowed_to: Any) -> str:
    """A list with its filters and order, as cursors tell lists apart."""
    return json.dumps([name, narrowed_to], sort_keys=True, default=str)


def encode_cursor(of: str, after: int, *more: int | None) -> str:
    """The cursor of this list that goes on after a row's place; `more` is what a list keeps there for its next page."""
    numbers = ".".join("" if number is None else str(number) for number in (after, *more))
    return base64.urlsafe_b64encode(f"{numbers}.{digest(numbers + of)}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str, of: str) -> int:
    """The place after which this list goes on. Raises CursorError."""
    after, more = decode_numbers(cursor, of)
    if more:
        raise CursorError("is not one of ours")
    return after


def decode_numbers(cursor: str, of: str) -> tuple[int, tuple[int | None, ...]]:
    """The place after which this list goes on, and what else it keeps. Raises CursorError."""
    try:
        text = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True).decode(
            "ascii"
        )
    except (binascii.Error, UnicodeError, ValueError):
        raise CursorError("is not one of ours") from None
    numbers, _, made_for = text.rpartition(".")
    after, *more = (_number(text) for text in numbers.split("."))
    if after is None:
        raise CursorError("is not one of ours")
    if made_for != digest(numbers + of):
        raise CursorError("was made for other filters, another order or another list")
    return after, tuple(more)


def digest(of: str) -> str:
    """A list in few characters: cursors bear it, so that none is used for another list."""
    return blake2b(of.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _number(text: str) -> int | None:
    if not text:
        return None
    if not text.isdigit() or len(text) > 19 or int(text) > _MAX:
        raise CursorError("is not one of ours")
    return int(text)
