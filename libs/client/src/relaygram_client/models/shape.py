"""The base of all models."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """An answer, or a part of one; unknown fields are kept in `model_extra`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def as_json(self) -> dict[str, Any]:
        """As the API says it: every field, times in ISO 8601."""
        return self.model_dump(mode="json")


class Pagination(Shape):
    """Where a page lies in its list."""

    current_page: int
    per_page: int
    total: int
    last_page: int
    #: With filters: `total` stopped counting.
    total_is_capped: bool | None = None


class Cursor(Shape):
    """How to go on."""

    next: str | None


class ListMeta(Shape):
    """Beside a list."""

    pagination: Pagination | None = None
    cursor: Cursor | None = None
