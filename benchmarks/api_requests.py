"""Requests a second of the routes that are asked most, against a bare Starlette route that returns the same bytes."""

import asyncio
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from benchmarks.http_load import requests_per_second
from benchmarks.results import Result, of_runs
from benchmarks.stack import bench_stack, populate
from relaygram_local_stack.demo.api import DemoApi
from relaygram_local_stack.ports import free_port

_GOAL = 0.4
_GOALS = {"GET /campaigns/{id}/logs": 0.5}
_WHY = (
    "some 20 µs of processor time a request beside the bare route's 30: a share of a reading (at which PostgreSQL works"
    " too), token, rate limit, request id, metrics, and the headers that tell of them"
)
_ROWS = 25
# Many short pairs: what else the machine does then meets both sides of most of them alike.
_ROUNDS = 19
_SECONDS = 0.5
_WARM_UP_SECONDS = 1.0
_START_SECONDS = 10.0
_PHONE = "+4915300000003"
# The limit is on, and far away.
_ENVIRONMENT = {"RELAYGRAM_RATE_LIMIT_PER_MINUTE": "1000000"}


async def measure() -> list[Result]:
    """One row a route: the median of the ratios of paired runs."""
    async with bench_stack(_ENVIRONMENT) as (stack, api, sandbox):
        campaign = await _fill(api, sandbox)
        routes = {
            "GET /campaigns": "/campaigns?per_page=25",
            "GET /campaigns/{id}": f"/campaigns/{campaign}",
            "GET /campaigns/{id}/logs": f"/campaigns/{campaign}/logs?per_page=25",
        }
        info = stack.info
        return [
            await _compare(name, f"{info.api_url}/api/v1{path}", info.token, _GOALS.get(name, _GOAL))
            for name, path in routes.items()
        ]


async def _fill(api: DemoApi, sandbox: httpx.AsyncClient) -> int:
    """25 campaigns, one of them with 25 messages in its log; its id."""
    handles = await populate(sandbox, _PHONE, _ROWS)
    account = await api.connect_account(sandbox, _PHONE)
    limits = {"limits": {"messages_per_second": None, "resolves_per_minute": None}}
    await api.call("PATCH", f"/telegram-accounts/{account['id']}", json=limits)
    campaign = {"mode": "broadcast", "body": "Hello {{first_name}}", "telegram_account_id": account["id"]}
    made = [await api.call("POST", "/campaigns", json={"name": f"Round {n}", **campaign}) for n in range(_ROWS)]
    first: int = made[0]["id"]
    await api.import_contacts(first, "handle,first_name\n" + "".join(f"{handle},Reader\n" for handle in handles))
    await api.call("POST", f"/campaigns/{first}/start")
    await api.await_status(f"/campaigns/{first}", {"completed"}, bad={"paused", "stopped"}, seconds=60)
    return first


async def _compare(name: str, url: str, token: str, goal: float) -> Result:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
        answer = await client.get(url)
    async with _bare(answer.raise_for_status().content) as bare_url:
        for warm in (url, bare_url):
            await requests_per_second(warm, token=token, seconds=_WARM_UP_SECONDS)
        pairs = [
            (
                await requests_per_second(url, token=token, seconds=_SECONDS),
                await requests_per_second(bare_url, token=token, seconds=_SECONDS),
            )
            for _ in range(_ROUNDS)
        ]
    ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    figures = f"{ours:.0f}/s, bare {bare:.0f}/s"
    return of_runs(f"{name}, {_ROWS} rows / bare Starlette route", [a / b for a, b in pairs], goal, figures, note=_WHY)


@asynccontextmanager
async def _bare(body: bytes) -> AsyncIterator[str]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.bare_starlette", str(port), stdin=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdin is not None
        process.stdin.write(body)
        process.stdin.close()
        async with asyncio.timeout(_START_SECONDS), httpx.AsyncClient() as client:
            while not await _answers(client, f"http://127.0.0.1:{port}/"):  # noqa: ASYNC110 - a process has no event
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        await process.wait()


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False
