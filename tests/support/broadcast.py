"""A broadcast through a running stack, and the question whether each message arrived exactly once."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from relaygram_local_stack.demo.api import logged
from relaygram_local_stack.demo.verdict import BODY, RecordedMessage, Verdict, judge
from tests.support.stack import RunningStack
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Audience:
    """An active account, and people in the sandbox whom it can write to."""

    stack: RunningStack
    account_id: int
    telegram_user_id: int
    handles: dict[str, str]  # by seat
    ids: dict[str, int]  # Telegram id by seat

    def contacts_csv(self) -> str:
        """The people as a contacts file."""
        return "handle,seat\n" + "".join(f"{handle},{seat}\n" for seat, handle in self.handles.items())

    async def draft(self, name: str) -> int:
        """A campaign with all people imported. `name` is in its texts, so that campaigns can be told apart."""
        campaign = await self.stack.api.call(
            "POST",
            "/campaigns",
            json={
                "name": name,
                "mode": "broadcast",
                "body": f"{name}. {BODY}",
                "telegram_account_id": self.account_id,
            },
        )
        imported = await self.stack.api.import_contacts(campaign["id"], self.contacts_csv())
        assert imported["accepted"] == len(self.ids)
        campaign_id: int = campaign["id"]
        return campaign_id

    async def record(self, name: str) -> list[RecordedMessage]:
        """What Telegram accepted of the campaign of this name."""
        return await self.texts(f"{name}. ")

    async def texts(self, prefix: str) -> list[RecordedMessage]:
        """What Telegram accepted of the account that begins so."""
        messages: list[RecordedMessage] = []
        headers = {"Accept": "application/x-ndjson"}
        parameters = {"from_id": self.telegram_user_id}
        async with self.stack.sandbox.stream("GET", "/messages", params=parameters, headers=headers) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                message = json.loads(line)
                if message["text"].startswith(prefix):
                    messages.append(RecordedMessage(message["to_id"], message["text"]))
        return messages

    async def verdict(self, campaign_id: int, name: str) -> Verdict:
        """The log of the campaign against Telegram's record."""
        log = [logged(row) for row in await self.stack.api.log(campaign_id)]
        return judge(len(self.ids), self.ids, log, await self.record(name))


async def gather_audience(
    stack: RunningStack, *, people: int, messages_per_second: int | None, phone: str, handle_stem: str
) -> Audience:
    """Connect an account by phone and code, and make people in the sandbox."""
    (await stack.sandbox.post("/users", json={"phone": phone, "first_name": "Sender"})).raise_for_status()
    account = await stack.api.connect_account(stack.sandbox, phone)
    limits = {"messages_per_second": messages_per_second, "resolves_per_minute": None}
    await stack.api.call("PATCH", f"/telegram-accounts/{account['id']}", json={"limits": limits})
    handles = {f"S{number:06d}": f"{handle_stem}_{number:06d}" for number in range(people)}
    made = await stack.sandbox.post(
        "/users", json=[{"username": handle, "first_name": seat} for seat, handle in handles.items()]
    )
    made.raise_for_status()
    ids = {seat: person["id"] for seat, person in zip(handles, made.json(), strict=True)}
    return Audience(stack, account["id"], account["telegram_user_id"], handles, ids)


async def progress(stack: RunningStack, campaign_id: int) -> Any:
    """The campaign as the API shows it; None while the API can not be reached."""
    try:
        answer = await stack.client.get(f"/api/v1/campaigns/{campaign_id}")
    except httpx.TransportError:
        return None  # the api is the part that was killed
    return answer.json()["data"] if answer.status_code == 200 else None


async def until_sent(stack: RunningStack, campaign_id: int, share: float, timeout: float = 60.0) -> Any:
    """Wait until this share of the campaign is decided, while it runs."""

    async def check() -> Any:
        campaign = await progress(stack, campaign_id)
        assert campaign is not None
        assert campaign["status"] == "running", campaign
        done = campaign["sent_count"] + campaign["failed_count"]
        return campaign if done >= share * campaign["total_contacts"] else None

    return await eventually(check, timeout, what=f"{share:.0%} of campaign {campaign_id} decided")


async def still_running(stack: RunningStack, campaign_id: int, share: float, timeout: float = 60.0) -> bool:
    """Wait until this share of the campaign is decided; False when it is complete by then."""

    async def check() -> Any:
        campaign = await progress(stack, campaign_id)
        assert campaign is not None
        done = campaign["sent_count"] + campaign["failed_count"]
        return campaign if done >= share * campaign["total_contacts"] else None

    campaign = await eventually(check, timeout, what=f"{share:.0%} of campaign {campaign_id} decided")
    return bool(campaign["status"] == "running")


async def until_completed(stack: RunningStack, campaign_id: int, timeout: float = 90.0) -> Any:
    """Wait for `completed`."""

    async def check() -> Any:
        campaign = await progress(stack, campaign_id)
        return campaign if campaign and campaign["status"] == "completed" else None

    return await eventually(check, timeout, what=f"campaign {campaign_id} completed")
