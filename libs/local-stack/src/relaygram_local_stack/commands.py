"""The commands that this package adds to ``relaygram``."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relaygram_local_stack.errors import StackError

if TYPE_CHECKING:
    from relaygram_local_stack.stack import LocalStack

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(
    data: Annotated[Path, typer.Option(help="Folder that keeps everything of this stack.")] = Path(".relaygram"),
    api_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the HTTP API.")] = None,
    sandbox_control_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the sandbox's control plane.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="File to write addresses and a token to when everything is ready.")
    ] = None,
    sandbox: Annotated[bool, typer.Option(help="Run the local Telegram beside the services.")] = True,
    scale: Annotated[
        list[str] | None, typer.Option(help="Processes of a service, like telegram-gateway=2; repeatable.")
    ] = None,
) -> None:
    """Start NATS, PostgreSQL, the sandbox and all services on this machine; Ctrl-C stops them."""
    from relaygram_local_stack.output import StreamOutput  # here: ``relaygram --help`` stays quick
    from relaygram_local_stack.plan import StackOptions
    from relaygram_local_stack.stack import LocalStack

    options = StackOptions(
        api_port=api_port,
        sandbox_control_port=sandbox_control_port,
        with_sandbox=sandbox,
        scale=dict(_read_scale(one) for one in scale or []),
        ready_file=ready_file,
    )
    asyncio.run(_run(LocalStack(data, options, StreamOutput(sys.stdout))))


def _read_scale(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.isdecimal():
        raise typer.BadParameter(f"{text!r} is not like telegram-gateway=2", param_hint="--scale")
    return name, int(number)


async def _run(stack: "LocalStack") -> None:
    """Start, say what is where, wait for a signal, stop. A second signal ends everything at once."""
    from relaygram_local_stack.summary import summary

    stop_wanted = asyncio.Event()
    starting = asyncio.create_task(stack.start())

    def on_signal() -> None:
        if stop_wanted.is_set():
            stack.kill()
        stop_wanted.set()
        starting.cancel()

    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means it
            loop.add_signal_handler(number, on_signal)
    try:
        with suppress(asyncio.CancelledError):
            await starting
            typer.echo(summary(stack))
            await stop_wanted.wait()
    finally:
        await stack.stop()
    if not stop_wanted.is_set():
        raise StackError("the stack was cancelled from inside")
