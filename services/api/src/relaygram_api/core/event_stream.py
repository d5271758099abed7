"""Server-Sent Events of the log: what goes over the wire, and in which pieces."""

from collections.abc import Iterable, Iterator
from typing import Final

# How long a client waits before it comes back.
_RETRY_MILLISECONDS: Final = 2000
HEARTBEAT: Final = b": heartbeat\n\n"
# A piece is not much larger than what a connection takes at once: whoever reads at all gets on from piece to piece.
PIECE_BYTES: Final = 32 * 1024


def opening(after: int) -> bytes:
    """The first thing told. Its id makes no event, but is what a client comes back with before it has got any row."""
    return b"retry: %d\nid: %d\n\n" % (_RETRY_MILLISECONDS, after)


def event(revision: int, row: bytes) -> bytes:
    """One row, as JSON without line ends."""
    return b"id: %d\ndata: %b\n\n" % (revision, row)


def in_pieces(events: Iterable[bytes]) -> Iterator[bytes]:
    """The same, fewer: each piece ends with the event that fills it."""
    piece = bytearray()
    for one in events:
        piece += one
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
