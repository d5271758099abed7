"""NATS for a command of whoever runs the installation: short time limits, and errors in words for a terminal."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from relaygram_cli.errors import CommandError

if TYPE_CHECKING:
    from nats.aio.client import Client

Done = TypeVar("Done")
NatsUrl = Annotated[
    str,
    typer.Option(envvar="RELAYGRAM_NATS_URL", help="NATS with JetStream.", show_default=False, metavar="ADDRESS"),
]
_CONNECT_SECONDS = 5
_ADVICE = "is nats-server running, and is --nats-url or RELAYGRAM_NATS_URL right? try: relaygram doctor"


def with_nats(nats_url: str, work: "Callable[[Client], Coroutine[Any, Any, Done]]") -> Done:
    """Run it to its end. Raises CommandError; Ctrl-C ends the command quietly."""
    import asyncio

    try:
        return asyncio.run(_worked(nats_url, work))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@asynccontextmanager
async def _connected(nats_url: str) -> "AsyncIterator[Client]":
    try:
        async with nats_client(nats_url, name="relaygram command") as client:
            yield client
    except CannotReachNats as error:
        raise CommandError(f"cannot reach NATS: {error}", what_to_do=_ADVICE) from error


async def _worked(nats_url: str, work: "Callable[[Client], Coroutine[Any, Any, Done]]") -> Done:
    from nats.errors import Error
    from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

    async with _connected(nats_url) as client:
        try:
            return await work(client)
        except NotFoundError as error:
            said = f"JetStream: {error.description}"
            raise CommandError(said, what_to_do="make what is missing: relaygram provision") from error
        except ServiceUnavailableError as error:
            advice = "start nats-server with -js; in a cluster, look whether most of its servers are up"
            raise CommandError("JetStream is off or has no leader", what_to_do=advice) from error
        except APIError as error:
            raise CommandError(f"JetStream refuses: {error.description}") from error
        except (Error, TimeoutError, OSError) as error:
            raise CommandError(f"NATS went away: {_said(error)}", what_to_do=_ADVICE) from error


@asynccontextmanager
async def nats_client(nats_url: str, *, name: str) -> "AsyncIterator[Client]":
    """A connection that is not made again. Raises CannotReachNats."""
    import nats

    try:
        client = await nats.connect(
            nats_url.split(","),
            name=name,
            connect_timeout=_CONNECT_SECONDS,
            allow_reconnect=False,
            max_reconnect_attempts=1,  # counts for the first connection too: the default 60 is two minutes
            reconnect_time_wait=0.2,
            error_cb=_quiet,
        )
    except (OSError, ValueError, TimeoutError, nats.errors.Error) as error:
        raise CannotReachNats(_said(error)) from error
    try:
        yield client
    finally:
        await client.close()


class CannotReachNats(Exception):  # noqa: N818 - says what it is
    """There is no connection, and why."""


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).removeprefix("nats: ")


async def _quiet(_: Exception) -> None:
    """The caller gets the error; nats-py's default would print a traceback as well."""
