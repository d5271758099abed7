"""Ids in paths, the clock, and whether the thing a path names exists in the caller's workspace."""

from datetime import UTC, datetime

from fastapi import Request
from starlette.convertors import Convertor, register_url_convertor

from relaygram_api.adapters.pg_workspace import sql
from relaygram_api.checked_route import Exists
from relaygram_api.errors import not_found
from relaygram_api.parts import Caller, Parts
from relaygram_common.contracts.delivery import MAX_ID

__all__ = ["MAX_ID", "exists", "now"]


class _IdConvertor(Convertor[int]):
    """A positive integer of at most 19 digits; whatever else stands there is an unknown route."""

    regex = "[1-9][0-9]{0,18}"

    def convert(self, value: str) -> int:
        # Beyond what PostgreSQL's bigint holds there is nothing: 0 is nobody's id either.
        return number if (number := int(value)) <= MAX_ID else 0

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("id", _IdConvertor())


def now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def exists(path_name: str, statement: str, thing: str) -> Exists:
    """For `concerns`: 404 unless the statement finds the row that the path names."""

    async def check(request: Request) -> None:
        parts: Parts = request.app.state.parts
        caller: Caller = request.state.caller
        async with parts.database.workspace(caller.workspace_id) as connection:
            if await connection.fetchval(sql[statement], request.path_params[path_name]) is None:
                raise not_found(thing)

    return check
