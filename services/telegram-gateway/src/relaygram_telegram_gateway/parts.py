"""Several loops that live and die together."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from relaygram_common.tasks import cancel_and_wait


async def run_together(*loops: Coroutine[Any, Any, None]) -> None:
    """Run until one ends; the others are cancelled, and its error, if it has one, is raised."""
    tasks = [asyncio.create_task(loop, name=getattr(loop, "__qualname__", None)) for loop in loops]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await cancel_and_wait(tasks)
