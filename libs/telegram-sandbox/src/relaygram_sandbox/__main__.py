"""The command line: relaygram-sandbox --mtproto-port N --control-port N --state DIR."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from relaygram_sandbox.startup import Options, StartError, resources

_CONNECTIONS = 65_536


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is no port")
    return number


def _options(arguments: list[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="relaygram-sandbox", description="A local Telegram.")
    parser.add_argument("--mtproto-port", type=_port, required=True, help="where clients connect; 0: any free")
    parser.add_argument("--control-port", type=_port, required=True, help="the HTTP control plane; 0: any free")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="where everything is kept")
    parser.add_argument("--host", default="127.0.0.1", help="the address to bind (default 127.0.0.1)")
    parser.add_argument("--seed", type=int, help="makes codes and faults by chance repeatable")
    parser.add_argument(
        "--open-world",
        action="store_true",
        help="unknown usernames and phones are people made on the spot",
    )
    given = parser.parse_args(arguments)
    return Options(**vars(given))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # not made for Windows
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _end_before_running(*_: object) -> None:
    sys.exit(0)


def _allow_many_connections() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS if most == resource.RLIM_INFINITY else min(most, _CONNECTIONS)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or Ctrl-C."""
    options = _options(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end_before_running)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("relaygram_sandbox").setLevel(logging.INFO)
    _allow_many_connections()
    try:
        with resources(options) as taken:
            from relaygram_sandbox.app import run  # Telethon and FastAPI take a second to load

            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                return runner.run(run(options, taken))
    except StartError as problem:
        sys.stderr.write(f"relaygram-sandbox: {problem}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
