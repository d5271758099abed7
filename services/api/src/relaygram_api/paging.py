"""Where a page of a list begins when a cursor says so."""

from relaygram_api.core.cursors import CursorError, decode_cursor
from relaygram_api.errors import invalid


def place_of(cursor: str | None, listing: str, page: int) -> int | None:
    """The place after which this list goes on; None without a cursor; 422 for one that is not of this list."""
    if cursor is None:
        return None
    if page != 1:
        raise invalid({"page": ["can not be given together with cursor"]})
    try:
        return decode_cursor(cursor, listing)
    except CursorError as error:
        raise invalid({"cursor": [str(error)]}) from None
