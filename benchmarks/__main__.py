"""`make bench`: writes to PEOPLE, imports LINES lines; status 1 when a goal is missed and no note says why."""

import asyncio
import os
import sys

from benchmarks import api_requests, csv_import, end_to_end
from benchmarks.results import Result, publish

_PEOPLE = int(os.environ.get("PEOPLE", "10000"))
_LINES = int(os.environ.get("LINES", "500000"))


async def _measure() -> list[Result]:
    return [
        *await end_to_end.measure(_PEOPLE),
        *await api_requests.measure(),
        *await csv_import.measure(_LINES),
    ]


if __name__ == "__main__":
    sys.exit(0 if publish(asyncio.run(_measure())) else 1)
