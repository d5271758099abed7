"""`make bench`: status 1 when a goal is missed and no note says why.

ROWS rows of the log (1,000,000), PEOPLE written to, LINES imported; ONLY names some parts.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import uvloop

from benchmarks import api_requests, csv_import, end_to_end, log_export, log_growth, log_query, log_write
from benchmarks.log_servers import LogServers, log_servers
from benchmarks.results import Part, Result, publish

_ROWS = int(os.environ.get("ROWS", "1000000"))
_PEOPLE = int(os.environ.get("PEOPLE", "5000"))
_LINES = int(os.environ.get("LINES", "200000"))


async def _plain(title: str, measured: Awaitable[Sequence[Result]]) -> Part:
    return Part(title, await measured, {})


_PARTS: dict[str, Callable[[LogServers], Coroutine[Any, Any, Part]]] = {
    "log_write": lambda servers: log_write.measure(servers),
    "log_query": lambda servers: log_query.measure(servers, _ROWS),
    "log_growth": lambda servers: log_growth.measure(servers, _ROWS),
    "log_export": lambda servers: _plain("Exporting the log", log_export.measure(servers, _ROWS)),
    "api_requests": lambda _: _plain("Requests", api_requests.measure()),
    "csv_import": lambda _: _plain("Importing contacts", csv_import.measure(_LINES)),
    "end_to_end": lambda _: _plain("From start to completed", end_to_end.measure(_PEOPLE)),
}


def _main() -> int:
    wanted = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(_PARTS)
    with log_servers() as servers:
        outcomes = [publish(name, uvloop.run(_PARTS[name](servers))) for name in wanted]  # on uvloop, as the services
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(_main())
