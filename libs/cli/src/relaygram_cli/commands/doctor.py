"""``relaygram doctor``: what is wrong with an installation, and how to mend it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relaygram_cli.errors import CommandError
from relaygram_cli.options import Json
from relaygram_cli.plain_text import one_line
from relaygram_cli.saved_login import Login, current_login

if TYPE_CHECKING:
    from relaygram_cli.doctor.findings import Finding, Installation

_NATS_URL = "nats://127.0.0.1:4222"
_STYLES = {"ok": "green", "wrong": "bold red", "not checked": "dim"}


def doctor(
    dsn: Annotated[
        str | None,
        typer.Option(envvar="RELAYGRAM_POSTGRES_DSN", help="The database, as its owner.", show_default=False),
    ] = None,
    nats_url: Annotated[
        str | None, typer.Option(envvar="RELAYGRAM_NATS_URL", help="NATS with JetStream.", show_default=False)
    ] = None,
    health: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]URL", help="Where a service has its health page; repeatable."),
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="All addresses, as relaygram up --ready-file has written them.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check this installation step by step; exit status 1 when something is wrong."""
    import asyncio

    installation = _installation(dsn, nats_url, health or [], ready_file)
    try:
        findings = asyncio.run(_examined(installation, as_json=as_json))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if as_json:
        from dataclasses import asdict

        from relaygram_cli.output import print_json

        print_json([asdict(finding) for finding in findings])
    wrong = sum(finding.status == "wrong" for finding in findings)
    if wrong and not as_json:
        typer.echo(f"\n{wrong} of {len(findings)} checks found something wrong.", err=True)
    raise typer.Exit(1 if wrong else 0)


async def _examined(installation: "Installation", *, as_json: bool) -> "list[Finding]":
    from relaygram_cli.doctor.checks import CHECKS, examine

    width = max(len(check.name) for check in CHECKS)
    findings = []
    async for finding in examine(installation):
        findings.append(finding)
        if not as_json:
            _print(finding, width)
    return findings


def _print(finding: "Finding", width: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from relaygram_cli.output import show

    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(width=11, no_wrap=True)
    row.add_column(width=width, no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(Text(finding.status, style=_STYLES[finding.status]), finding.check, Text(one_line(finding.said)))
    if finding.mend:
        row.add_row("", "", Text(f"What to do: {one_line(finding.mend)}"))
    show(row)


def _installation(dsn: str | None, nats_url: str | None, health: list[str], ready_file: Path | None) -> "Installation":
    from relaygram_cli.doctor.findings import Installation

    if ready_file is not None:
        ready = _read(ready_file)
        return Installation(
            login=Login(ready["api_url"], ready["token"]),
            dsn=ready["postgres_dsn"],
            nats_url=ready["nats_url"],
            health=ready["health"],
            folder=ready_file.absolute().parent,
            is_local_stack=True,
        )
    pages = dict(_named(number, one) for number, one in enumerate(health, 1))
    nats_url = nats_url or (_NATS_URL if dsn else None)  # a service's default
    return Installation(login=current_login(), dsn=dsn, nats_url=nats_url, health=pages)


def _named(number: int, given: str) -> tuple[str, str]:
    name, equals, url = given.partition("=")
    return (name, url) if equals and "/" not in name else (f"service {number}", given)


def _read(path: Path) -> dict[str, Any]:
    try:
        ready: dict[str, Any] = json.loads(path.read_text())
        _ = [ready[key] for key in ("api_url", "token", "postgres_dsn", "nats_url", "health")]
    except OSError as error:
        raise CommandError(
            f"cannot read {path}: {error.strerror}", what_to_do="is relaygram up --ready-file running, and ready?"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{path} is not a ready file of relaygram up") from error
    return ready
