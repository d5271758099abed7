"""Envelopes and their parts."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Thing = TypeVar("Thing")


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class One(Shape, Generic[Thing]):
    """One thing."""

    data: Thing
    meta: dict[str, Any] = {}

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """What the document calls it."""
        return f"{params[0].__name__}Answer"


class Pagination(Shape):
    """Where a page lies in its list."""

    current_page: int
    per_page: int
    total: int
    last_page: int
    total_is_capped: bool | None = Field(default=None, description="With filters: `total` stopped counting at 10,000.")


class Cursor(Shape):
    """How to go on."""

    next: str | None


class ListMeta(Shape):
    """Beside a list."""

    pagination: Pagination
    cursor: Cursor | None = None


class Many(Shape, Generic[Thing]):
    """A page of a list."""

    data: list[Thing]
    meta: ListMeta

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """What the document calls it."""
        return f"{params[0].__name__}List"
