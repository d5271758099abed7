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


def encode_cursor(of: str, after: int) -> str:
    """The cursor of this list that goes on after a row's place."""
    return base64.urlsafe_b64encode(f"{after}.{digest(of)}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str, of: str) -> int:
    """The place after which this list goes on. Raises CursorError."""
    try:
        text = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True).decode(
            "ascii"
        )
    except (binascii.Error, UnicodeError, ValueError):
        raise CursorError("is not one of ours") from None
    after, _, made_for = text.partition(".")
    if not after.isdigit() or len(after) > 19 or int(after) > _MAX:
        raise CursorError("is not one of ours")
    if made_for != digest(of):
        raise CursorError("was made for other filters, another order or another list")
    return int(after)


def digest(of: str) -> str:
    """A list in few characters: cursors bear it, so that none is used for another list."""
    return blake2b(of.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
