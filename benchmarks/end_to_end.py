"""From `start` to `completed`, through every service, limits off, against a bare Telethon loop on the same sandbox."""

import time
from collections.abc import Sequence
from typing import Any

import httpx

from benchmarks.bare_telethon import messages_per_second
from benchmarks.results import Result
from benchmarks.stack import bench_stack, populate
from relaygram_local_stack.demo.api import DemoApi

_BODY = "Hello {{first_name}}, this is broadcast {{round}}, about as long as a bare one is."
_PHONE, _BARE_PHONE = "+4915300000001", "+4915300000002"
# The polling of the measurement is not what is measured.
_ENVIRONMENT = {"RELAYGRAM_RATE_LIMIT_PER_MINUTE": "0"}


async def measure(people: int) -> list[Result]:
    """Two broadcasts to the same people (the first one has to resolve every name), and the bare loop."""
    async with bench_stack(_ENVIRONMENT) as (_, api, sandbox):
        handles = await populate(sandbox, _PHONE, people)
        account = await api.connect_account(sandbox, _PHONE)
        limits = {"messages_per_second": None, "resolves_per_minute": None}
        await api.call("PATCH", f"/telegram-accounts/{account['id']}", json={"limits": limits})
        sender = (await sandbox.post("/users", json={"phone": _BARE_PHONE, "first_name": "Bare"})).json()

        bare_before = await messages_per_second(sandbox, sender["id"], handles)
        first = await _broadcast(api, account["id"], handles, 1)
        second = await _broadcast(api, account["id"], handles, 2)
        bare_after = await messages_per_second(sandbox, await _another(sandbox), handles)
    bare = (bare_before + bare_after) / 2
    note = f"{people} people; Relaygram {second:.0f}/s, bare {bare_before:.0f}/s before and {bare_after:.0f}/s after"
    return [
        Result("end to end / bare Telethon loop, peers known", second / bare, None, note),
        Result("end to end / bare Telethon loop, every name resolved", first / bare, None, f"Relaygram {first:.0f}/s"),
    ]


async def _another(sandbox: httpx.AsyncClient) -> int:
    user: dict[str, Any] = (await sandbox.post("/users", json={"first_name": "Bare again"})).json()
    return int(user["id"])


async def _broadcast(api: DemoApi, account_id: int, handles: Sequence[str], number: int) -> float:
    campaign = await api.call(
        "POST",
        "/campaigns",
        json={"name": f"Round {number}", "mode": "broadcast", "body": _BODY, "telegram_account_id": account_id},
    )
    text = "handle,first_name,round\n" + "".join(f"{handle},Reader,{number}\n" for handle in handles)
    await api.import_contacts(campaign["id"], text)
    began = time.perf_counter()
    await api.call("POST", f"/campaigns/{campaign['id']}/start")
    await api.await_status(f"/campaigns/{campaign['id']}", {"completed"}, bad={"paused", "stopped"}, seconds=600)
    return len(handles) / (time.perf_counter() - began)
