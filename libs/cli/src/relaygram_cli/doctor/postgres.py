"""The database: there, new enough, migrated, with its roles, and with our time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from relaygram_cli.doctor.findings import Installation, NotChecked, Wrong

if TYPE_CHECKING:
    import asyncpg

    from relaygram_common.database.statements import Statements

    Connection = asyncpg.Connection[asyncpg.Record]

_OLDEST = 180_000
_ROLES = ("relaygram_api", "relaygram_dispatcher", "relaygram_gateway", "relaygram_log_writer")
_MOST_SKEW_SECONDS = 2.0
_CONNECT_SECONDS = 5.0


async def answers(installation: Installation) -> str:
    """A connection is possible."""
    async with _connected(installation) as (connection, sql):
        shown: str = await connection.fetchval(sql["version_text"])
    return f"PostgreSQL {shown.split()[0]} answers"


async def version(installation: Installation) -> str:
    """The oldest that has what the statements use."""
    async with _connected(installation) as (connection, sql):
        number: int = await connection.fetchval(sql["version_number"])
    if number < _OLDEST:
        raise Wrong(f"version {number // 10_000} is too old", "use PostgreSQL 18 or newer")
    return f"{number // 10_000}, at least 18"


async def migrations(installation: Installation) -> str:
    """The schema is the one that this version of the code expects."""
    from relaygram_common.database.migrate import newest_revision

    newest = newest_revision()
    async with _connected(installation) as (connection, sql):
        has_any = await connection.fetchval(sql["has_migrations"])
        found = await connection.fetchval(sql["migration"]) if has_any else None
    if found is None:
        raise Wrong("the database is empty", "run: relaygram migrate")
    if found != newest:
        advice = "run: relaygram migrate" if found < newest else "install the newer version of relaygram here, too"
        raise Wrong(f"the database is at {found}, this version of relaygram at {newest}", advice)
    return f"at {found}, the newest"


async def roles(installation: Installation) -> str:
    """Each service has the role that it logs in with."""
    async with _connected(installation) as (connection, sql):
        found = {row["rolname"] for row in await connection.fetch(sql["roles"], list(_ROLES))}
    if missing := [role for role in _ROLES if role not in found]:
        raise Wrong(f"missing, or may not log in: {', '.join(missing)}", "run: relaygram migrate")
    return f"all {len(_ROLES)} are there"


async def clock(installation: Installation) -> str:
    """Our clock and PostgreSQL's go together: expiries and schedules rest on it."""
    async with _connected(installation) as (connection, sql):
        before = datetime.now(UTC)
        theirs: datetime = await connection.fetchval(sql["clock"])
        after = datetime.now(UTC)
    skew = (theirs - (before + (after - before) / 2)).total_seconds()
    if abs(skew) - (after - before).total_seconds() / 2 > _MOST_SKEW_SECONDS:
        raise Wrong(f"PostgreSQL's clock is {skew:+.1f} s from ours", "let NTP set both clocks")
    return f"{abs(skew):.2f} s from PostgreSQL's"


@asynccontextmanager
async def _connected(installation: Installation) -> "AsyncIterator[tuple[Connection, Statements]]":
    import asyncpg

    from relaygram_common.database.statements import Statements

    if installation.dsn is None:
        raise NotChecked("no address: give --dsn or RELAYGRAM_POSTGRES_DSN")
    try:
        connection = await asyncpg.connect(installation.dsn, timeout=_CONNECT_SECONDS, command_timeout=_CONNECT_SECONDS)
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError) as error:
        raise Wrong(str(error), "correct user and password in RELAYGRAM_POSTGRES_DSN") from None
    except asyncpg.InvalidCatalogNameError as error:
        raise Wrong(str(error), "make the database: createdb, as its owner") from None
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        said = str(error) or f"no answer within {_CONNECT_SECONDS:.0f} s"
        raise Wrong(said, "start PostgreSQL, or correct RELAYGRAM_POSTGRES_DSN") from None
    try:
        yield connection, Statements("relaygram_cli")
    finally:
        await connection.close(timeout=2)
