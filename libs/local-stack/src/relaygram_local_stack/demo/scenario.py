"""The demo's story, top to bottom."""

import asyncio
import json
import os
import signal
import time
from dataclasses import dataclass
from typing import Any

import httpx
from rich.console import Console

from relaygram_cli.errors import CommandError
from relaygram_local_stack.demo.api import DemoApi, logged
from relaygram_local_stack.demo.audience import populate
from relaygram_local_stack.demo.conversations import Conversation, Conversations
from relaygram_local_stack.demo.progress import Display, display
from relaygram_local_stack.demo.report import print_conversations, print_failures, print_log_page, print_rejected
from relaygram_local_stack.demo.verdict import BODY, RecordedMessage, Verdict, is_of_broadcast, judge
from relaygram_local_stack.stack import LocalStack

_PHONE = "+4915110000001"
_REQUEST_SECONDS = 30.0
_POLL_SECONDS = 0.25
# The broadcast should take some seconds, so that there is a half-way to kill the gateway at.
_SENDING_SECONDS = 8
_FASTEST = 1000  # messages a second, the most that the API accepts


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo found."""

    verdict: Verdict
    seconds: float  # from start to completed, the crash included
    gateway_killed: bool
    rejected: int
    failures: dict[str, int]
    conversations: list[Conversation]

    @property
    def is_exact(self) -> bool:
        """Everybody got what was to be sent, once."""
        return self.verdict.is_exact and all(one.is_right for one in self.conversations)


async def play(stack: LocalStack, contacts_csv: str, console: Console) -> Outcome:
    """Connect, import, send, crash, compare."""
    info = stack.info
    if info.sandbox_url is None:
        raise CommandError("the demo needs the sandbox")
    headers = {"Authorization": f"Bearer {info.token}"}
    async with (
        httpx.AsyncClient(base_url=info.api_url, headers=headers, timeout=_REQUEST_SECONDS) as api_client,
        httpx.AsyncClient(base_url=info.sandbox_url, timeout=_REQUEST_SECONDS) as sandbox,
    ):
        api = DemoApi(api_client)
        people = await populate(sandbox, contacts_csv)
        console.print(f"The sandbox has {len(people)} people to write to.", highlight=False)
        account = await _connect(api, sandbox, len(people), console)
        campaign, imported = await _prepare(api, account["id"], contacts_csv, console)
        conversations = Conversations(api, sandbox, account)
        await conversations.begin()
        console.print("Beside it: a sequence with a follow-up, and an auto-reply (a second here is an hour).")
        seconds, killed = await _send(api, stack, campaign["id"], console)
        log = await api.log(campaign["id"])
        print_log_page(console, log[len(log) // 2 - 5 :][:10])
        print_failures(console, log)
        talks = await conversations.end()
        print_conversations(console, talks)
        record = await _record(sandbox, account["telegram_user_id"])
        verdict = judge(imported["accepted"], people, [logged(row) for row in log], record)
        failures: dict[str, int] = {}
        for row in log:
            if row["error"]:
                failures[row["error"]["code"]] = failures.get(row["error"]["code"], 0) + 1
        return Outcome(verdict, seconds, killed, imported["rejected"], failures, talks)


async def _connect(api: DemoApi, sandbox: httpx.AsyncClient, contacts: int, console: Console) -> Any:
    (
        await sandbox.post("/users", json={"phone": _PHONE, "username": "relaygram_demo", "first_name": "Relaygram"})
    ).raise_for_status()
    account = await api.connect_account(sandbox, _PHONE)
    console.print(f"Connected {account['handle']} by phone and code.", highlight=False)
    rate = max(5, min(_FASTEST, contacts // _SENDING_SECONDS))
    limits = {"messages_per_second": rate, "resolves_per_minute": None}
    await api.call("PATCH", f"/telegram-accounts/{account['id']}", json={"limits": limits})
    console.print(f"It may send {rate} messages a second.", highlight=False)
    return account


async def _prepare(api: DemoApi, account_id: int, contacts_csv: str, console: Console) -> tuple[Any, Any]:
    campaign = await api.call(
        "POST",
        "/campaigns",
        json={"name": "Spring evening", "mode": "broadcast", "body": BODY, "telegram_account_id": account_id},
    )
    imported = await api.import_contacts(campaign["id"], contacts_csv)
    console.print(
        f"Imported {imported['accepted']} of {imported['received']} lines; "
        f"{imported['duplicates']} double, {imported['rejected']} rejected:",
        highlight=False,
    )
    print_rejected(console, await api.call("GET", f"/imports/{imported['id']}/errors"))
    return campaign, imported


async def _send(api: DemoApi, stack: LocalStack, campaign_id: int, console: Console) -> tuple[float, bool]:
    path = f"/campaigns/{campaign_id}"
    began = time.monotonic()
    campaign = await api.call("POST", f"{path}/start")
    killed = False
    with display(console, campaign["total_contacts"]) as screen:
        while campaign["status"] != "completed":
            if campaign["status"] != "running":
                raise CommandError(f"the campaign is {campaign['status']}: {campaign['status_reason']}")
            if time.monotonic() - began > _patience_seconds(campaign["total_contacts"]):
                raise CommandError(f"the campaign does not end: {json.dumps(campaign)}")
            await asyncio.sleep(_POLL_SECONDS)
            campaign = await api.call("GET", path)
            screen.show(campaign)
            if not killed and campaign["status"] == "running" and _is_half_way(campaign):
                killed = _kill_gateway(stack, screen)
        screen.show(campaign)
    return time.monotonic() - began, killed


def _patience_seconds(contacts: int) -> float:
    return 120.0 + contacts / 20


def _is_half_way(campaign: dict[str, Any]) -> bool:
    return bool(2 * (campaign["sent_count"] + campaign["failed_count"]) >= campaign["total_contacts"])


def _kill_gateway(stack: LocalStack, screen: Display) -> bool:
    pid = stack.info.pids["telegram-gateway"]
    os.kill(pid, signal.SIGKILL)
    screen.say(f"Half-way: killed the gateway (kill -9 {pid}). Another start takes over when its lease has run out.")
    return True


async def _record(sandbox: httpx.AsyncClient, account_id: int) -> list[RecordedMessage]:
    record: list[RecordedMessage] = []
    headers = {"Accept": "application/x-ndjson"}
    async with sandbox.stream("GET", "/messages", params={"from_id": account_id}, headers=headers) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line:
                message = json.loads(line)
                if is_of_broadcast(message["text"]):
                    record.append(RecordedMessage(message["to_id"], message["text"]))
    return record
