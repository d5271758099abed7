"""``relaygram migrate``: bring a database to the newest schema."""

from typing import Annotated

import typer

from relaygram_cli.errors import CommandError


def migrate(
    dsn: Annotated[
        str,
        typer.Option(
            envvar="RELAYGRAM_POSTGRES_DSN",
            help="Database to migrate, as a user who may create schemas and roles.",
            show_default=False,
        ),
    ],
) -> None:
    """Run every migration that is still missing."""
    from sqlalchemy.exc import ArgumentError, DBAPIError

    from relaygram_common.database.migrate import newest_revision, upgrade

    try:
        upgrade(dsn)
    except ArgumentError as error:
        raise CommandError("--dsn is not an address like postgresql://user@host/database") from error
    except DBAPIError as error:
        raise CommandError(f"cannot migrate: {error.orig}") from error
    typer.echo(f"the database is at revision {newest_revision()}")
