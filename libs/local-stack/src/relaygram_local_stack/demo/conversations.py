"""Beside the broadcast: a sequence with a follow-up, and an auto-reply. An hour of the real thing is a second here."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx

from relaygram_cli.errors import CommandError
from relaygram_local_stack.demo.api import DemoApi

_HOUR = 1 / 3600  # "after_hours" of what shall take a second
_SECONDS = 60.0
_POLL_SECONDS = 0.25

WELCOME = "Welcome {{first_name|there}}! May I tell you more?"
NUDGE = "{{first_name|there}}, did you see my message?"
MORE = "{{first_name|there}}, here is what we do."
KEYWORD = "price"
PRICE = "A seat is 20 euros, {{first_name|there}}."

# Who is in the sandbox for it, and what each must have got in the end.
_PEOPLE: tuple[dict[str, Any], ...] = (
    {"username": "demo_anna", "first_name": "Anna", "reply": {"text": "Yes, please!", "after_seconds": 0.5}},
    {"username": "demo_ben", "first_name": "Ben"},
    {"username": "demo_cora", "first_name": "Cora"},
)
_EXPECTED = {
    "Anna": ("Welcome Anna! May I tell you more?",),
    "Ben": ("Welcome Ben! May I tell you more?", "Ben, did you see my message?", "Ben, here is what we do."),
    "Cora": ("A seat is 20 euros, Cora.",),
}
_STORY = {
    "Anna": "answers the first step: nothing more is sent",
    "Ben": "stays silent: follow-up, then the second step",
    "Cora": "asks for the PRICE: the auto-reply",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """What one person was sent."""

    name: str
    story: str
    texts: tuple[str, ...]
    is_right: bool


class Conversations:
    """The two campaigns, begun, and what came of them."""

    def __init__(self, api: DemoApi, sandbox: httpx.AsyncClient, account: dict[str, Any]) -> None:
        self._api = api
        self._sandbox = sandbox
        self._account = account
        self._ids: dict[str, int] = {}
        self._campaigns: list[int] = []

    async def begin(self) -> None:
        """Make people and campaigns, start these; Cora writes."""
        made = await self._sandbox.post("/users", json=list(_PEOPLE))
        made.raise_for_status()
        self._ids = {person["first_name"]: person["id"] for person in made.json()}
        await self._begin_sequence()
        await self._begin_auto_reply()
        question = {"to_id": self._account["telegram_user_id"], "text": "Hello, what is the PRICE?"}
        (await self._sandbox.post(f"/users/{self._ids['Cora']}/messages", json=question)).raise_for_status()

    async def _begin_sequence(self) -> None:
        campaign = await self._draft({"name": "Getting to know", "mode": "broadcast", "body": WELCOME})
        steps = [
            {"body": WELCOME, "followups": [{"after_hours": 2 * _HOUR, "body": NUDGE}]},
            {"body": MORE, "delay_seconds": 4},
        ]
        await self._api.call("PUT", f"/campaigns/{campaign}/steps", json={"steps": steps})
        await self._api.import_contacts(campaign, "handle,first_name\ndemo_anna,Anna\ndemo_ben,Ben\n")
        await self._api.call("POST", f"/campaigns/{campaign}/start")

    async def _begin_auto_reply(self) -> None:
        draft = {"name": "Prices", "mode": "auto_reply", "trigger_keyword": KEYWORD, "body": PRICE}
        campaign = await self._draft(draft)
        await self._api.call("POST", f"/campaigns/{campaign}/start")

    async def _draft(self, fields: dict[str, Any]) -> int:
        campaign = await self._api.call(
            "POST", "/campaigns", json={**fields, "telegram_account_id": self._account["id"]}
        )
        self._campaigns.append(campaign["id"])
        return int(campaign["id"])

    async def end(self) -> list[Conversation]:
        """Wait until the sequence is over and Cora has her answer; what each person got."""
        sequence = self._campaigns[0]
        deadline = time.monotonic() + _SECONDS
        while (await self._api.call("GET", f"/campaigns/{sequence}"))["status"] != "completed" or not await self._got(
            "Cora"
        ):
            if time.monotonic() > deadline:
                raise CommandError("the sequence and the auto-reply do not end")
            await asyncio.sleep(_POLL_SECONDS)
        for campaign in self._campaigns[1:]:
            await self._api.call("POST", f"/campaigns/{campaign}/stop")
        return [await self._conversation(name) for name in _EXPECTED]

    async def _conversation(self, name: str) -> Conversation:
        texts = await self._got(name)
        return Conversation(name, _STORY[name], texts, Counter(texts) == Counter(_EXPECTED[name]))

    async def _got(self, name: str) -> tuple[str, ...]:
        between = {"from_id": self._account["telegram_user_id"], "to_id": self._ids[name]}
        answer = await self._sandbox.get("/messages", params=between)
        answer.raise_for_status()
        return tuple(message["text"] for message in answer.json())
