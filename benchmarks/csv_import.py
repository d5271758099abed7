"""A contact file, from the first byte of its upload to `completed`, against plain COPY of the lines it accepted."""

import io
import statistics
import time

import asyncpg

from benchmarks.results import Result
from benchmarks.stack import bench_stack, populate
from relaygram_local_stack.demo.api import DemoApi

GOAL = 0.3
_ROUNDS = 3
_PHONE = "+4915300000004"
_COPY_SECONDS = 600.0
_ENVIRONMENT = {"RELAYGRAM_RATE_LIMIT_PER_MINUTE": "0"}  # the polling of the measurement is not what is measured


async def measure(lines: int) -> list[Result]:
    """The median of the ratios of paired runs."""
    file = "handle,first_name,last_name,tags,city\n" + "".join(
        f"reader_{number:07d},Reader,Number {number},customer|2026,Berlin\n" for number in range(lines)
    )
    async with bench_stack(_ENVIRONMENT) as (stack, api, sandbox):
        await populate(sandbox, _PHONE, 0)
        account = await api.connect_account(sandbox, _PHONE)
        pairs = []
        for _ in range(_ROUNDS):
            campaign, seconds = await _imported(api, account["id"], file)
            pairs.append((lines / seconds, lines / await _copied(stack.info.postgres_dsn, campaign)))
    ratios = sorted(ours / plain for ours, plain in pairs)
    ours, plain = (statistics.median(side) for side in zip(*pairs, strict=True))
    spread = f"ratio {ratios[0]:.2f}–{ratios[-1]:.2f} in {_ROUNDS} paired runs"
    note = f"{lines} lines; {ours:.0f}/s, COPY {plain:.0f}/s; {spread}"
    return [Result("CSV import / plain COPY of the same lines", statistics.median(ratios), GOAL, note)]


async def _imported(api: DemoApi, account_id: int, file: str) -> tuple[int, float]:
    draft = {"name": "Import", "mode": "broadcast", "body": "Hello", "telegram_account_id": account_id}
    campaign = await api.call("POST", "/campaigns", json=draft)
    began = time.perf_counter()
    await api.import_contacts(campaign["id"], file)
    return campaign["id"], time.perf_counter() - began


async def _copied(dsn: str, campaign: int) -> float:
    """Seconds that COPY takes for the same rows into a table with the same columns, constraints and indexes."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = "select * from control.contacts where campaign_id = $1"
        data = bytearray()

        async def keep(piece: bytes) -> None:
            data.extend(piece)

        await connection.copy_from_query(rows, campaign, output=keep, format="binary", timeout=_COPY_SECONDS)
        await connection.execute("create table bench_contacts (like control.contacts including all)")

        source = io.BytesIO(data)
        began = time.perf_counter()
        await connection.copy_to_table("bench_contacts", source=source, format="binary", timeout=_COPY_SECONDS)
        seconds = time.perf_counter() - began
        await connection.execute("drop table bench_contacts")
        return seconds
    finally:
        await connection.close()
