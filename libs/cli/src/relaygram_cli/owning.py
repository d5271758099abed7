"""One change in the database of an installation, as its owner."""

from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer

from relaygram_cli.errors import CommandError

Done = TypeVar("Done")
Dsn = Annotated[
    str,
    typer.Option(
        envvar="RELAYGRAM_POSTGRES_DSN",
        help="The database, as its owner, like postgresql://owner:secret@host/relaygram.",
        show_default=False,
        metavar="ADDRESS",
    ),
]


def own(work: Coroutine[Any, Any, Done]) -> Done:
    """Run it to its end. Raises CommandError; Ctrl-C ends the command quietly."""
    import asyncio

    try:
        return asyncio.run(_in_words(work))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _in_words(work: Coroutine[Any, Any, Done]) -> Done:
    import asyncpg

    from relaygram_common.identity import IdentityError

    try:
        return await work
    except IdentityError as error:
        raise CommandError(str(error)) from error
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.UndefinedColumnError) as error:
        raise CommandError("the database is not migrated", what_to_do="run: relaygram migrate") from error
    except asyncpg.InsufficientPrivilegeError as error:
        advice = "give the owner's address with --dsn; a service's role may not do this"
        raise CommandError(f"PostgreSQL refuses: {error}", what_to_do=advice) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        said = str(error) or "it does not answer"
        raise CommandError(
            f"cannot use the database: {said}",
            what_to_do="is PostgreSQL running, and is --dsn or RELAYGRAM_POSTGRES_DSN right? try: relaygram doctor",
        ) from error
