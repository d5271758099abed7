"""Lists that come in pages: `async for thing in listing`, or one page at a time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from relaygram_client.errors import UnexpectedAnswerError
from relaygram_client.models.shape import Cursor, ListMeta, Pagination, Shape
from relaygram_client.transport import Query, Transport

Thing = TypeVar("Thing", bound=Shape)


@dataclass(frozen=True, slots=True)
class Page(Generic[Thing]):
    """One page, in the order of the list."""

    things: list[Thing]
    pagination: Pagination | None
    #: Where the API offers cursors: `next` is what to give for the next page, None at the end.
    cursor: Cursor | None


class Listing(Generic[Thing]):
    """A list of the API, asked for page by page while it is iterated; begins anew with each iteration."""

    def __init__(
        self, transport: Transport, path: str, shape: type[Thing], query: Query | None = None, *, per_page: int = 100
    ) -> None:
        self._transport = transport
        self._path = path
        self._shape = shape
        self._query = {**(query or {}), "per_page": per_page}

    async def page(self, number: int | None = None, *, cursor: str | None = None) -> Page[Thing]:
        """One page: by its number from 1, or by the cursor of the page before."""
        content = await self._transport.call("GET", self._path, query={**self._query, "page": number, "cursor": cursor})
        data, meta = _of_envelope(content, list), understood(ListMeta, content.get("meta"))
        return Page([understood(self._shape, one) for one in data], meta.pagination, meta.cursor)

    async def total(self) -> int:
        """How many things there are; with some filters it stops counting (`pagination.total_is_capped`)."""
        pagination = (await self.page()).pagination
        if pagination is None:
            raise TypeError("this list is not counted")
        return pagination.total

    async def all(self) -> list[Thing]:
        """All of it in memory."""
        return [thing async for thing in self]

    async def __aiter__(self) -> AsyncIterator[Thing]:
        page = await self.page()
        while True:
            for thing in page.things:
                yield thing
            if page.cursor is not None:
                if page.cursor.next is None:
                    return
                page = await self.page(cursor=page.cursor.next)
            elif page.things and page.pagination and page.pagination.current_page < page.pagination.last_page:
                page = await self.page(page.pagination.current_page + 1)
            else:
                return


def understood(shape: type[Thing], data: Any) -> Thing:
    """Data of an answer as a model. Raises UnexpectedAnswerError."""
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the whole"
        raise UnexpectedAnswerError(
            f"the API's {shape.__name__} is not as expected: {where}: {problem['msg']}"
        ) from error


def one(shape: type[Thing], content: Any) -> Thing:
    """The thing in an answer's envelope."""
    return understood(shape, _of_envelope(content, dict))


def several(shape: type[Thing], content: Any) -> list[Thing]:
    """The things in an answer's envelope."""
    return [understood(shape, data) for data in _of_envelope(content, list)]


def _of_envelope(content: Any, kind: type) -> Any:
    if not isinstance(content, dict) or not isinstance(content.get("data"), kind):
        raise UnexpectedAnswerError("the answer has no `data` as Relaygram's API gives it")
    return content["data"]
