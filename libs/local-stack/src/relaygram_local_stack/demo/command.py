"""`relaygram demo`."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer


def demo(
    contacts: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many people to make up.")] = 1000,
    csv: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A contacts file like examples/contacts.csv, instead."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")] = False,
) -> None:
    """Send a broadcast on a stack of its own, kill the gateway half-way, and compare the log with Telegram's record."""
    from relaygram_local_stack.demo.people import contacts_csv  # here: `relaygram --help` stays quick

    text = csv.read_text(encoding="utf-8-sig") if csv else contacts_csv(contacts)
    raise typer.Exit(asyncio.run(_run(text, as_json=as_json)))


async def _run(contacts_csv: str, *, as_json: bool) -> int:
    from rich.console import Console

    from relaygram_local_stack.demo.report import print_verdict
    from relaygram_local_stack.demo.scenario import play
    from relaygram_local_stack.output import StreamOutput
    from relaygram_local_stack.plan import StackOptions
    from relaygram_local_stack.stack import LocalStack

    console = Console(stderr=as_json)
    with tempfile.TemporaryDirectory(prefix="relaygram-demo-") as folder:
        log = Path(folder) / "stack.log"
        with log.open("w", encoding="utf-8") as stream:
            console.print("Starting NATS, PostgreSQL, the sandbox and four services …", highlight=False)
            try:
                async with LocalStack(Path(folder) / "data", StackOptions(), StreamOutput(stream)) as stack:
                    outcome = await play(stack, contacts_csv, console)
            except BaseException:
                stream.flush()
                sys.stderr.write("".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[-40:]))
                raise
    if as_json:
        verdict = outcome.verdict
        result = {
            "contacts": verdict.contacts,
            "sent": verdict.sent,
            "failed": verdict.failed,
            "lost": list(verdict.lost),
            "doubled": list(verdict.doubled),
            "rejected_lines": outcome.rejected,
            "failures": outcome.failures,
            "seconds": round(outcome.seconds, 1),
            "gateway_killed": outcome.gateway_killed,
            "conversations": {one.name: one.texts for one in outcome.conversations},
        }
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        print_verdict(console, outcome.verdict)
    return 0 if outcome.is_exact else 1
