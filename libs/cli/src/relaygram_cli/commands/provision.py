"""``relaygram provision``: make or update streams, consumers and buckets."""

from typing import Annotated

import typer

from relaygram_cli.errors import CommandError


def provision(
    nats_url: Annotated[
        str, typer.Option(envvar="RELAYGRAM_NATS_URL", help="NATS with JetStream.", show_default=False)
    ],
    replicas: Annotated[int, typer.Option(min=1, max=5, help="Copies of each stream in a cluster.")] = 1,
) -> None:
    """Make what is missing in JetStream and update what differs; nothing is removed."""
    import asyncio

    from nats.errors import Error

    from relaygram_common import topology

    try:
        asyncio.run(topology.provision(nats_url, replicas=replicas))
    except (OSError, ValueError, Error) as error:
        raise CommandError(f"cannot provision: {error or type(error).__name__}") from error
    typer.echo("streams, consumers and buckets are up to date")
