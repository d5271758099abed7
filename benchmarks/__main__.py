"""`make bench`."""

import asyncio
import os
import sys

from benchmarks import end_to_end
from benchmarks.results import publish

_PEOPLE = int(os.environ.get("PEOPLE", "10000"))

if __name__ == "__main__":
    os.environ["RELAYGRAM_RATE_LIMIT_PER_MINUTE"] = "0"  # the polling of the measurement is not what is measured
    sys.exit(0 if publish(asyncio.run(end_to_end.measure(_PEOPLE))) else 1)
