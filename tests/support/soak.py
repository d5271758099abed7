"""A soak: broadcasts, a sequence and auto-replies from three accounts, while Telegram errs and parts are killed.

What Telegram got is the sandbox's durable record, counted by person and text. Telegram's memory for random ids is made
short (5 s), so that it is not what saves us.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from relaygram_common.tasks import cancel_and_wait
from relaygram_local_stack.demo.api import logged
from relaygram_local_stack.demo.verdict import BODY, Verdict, judge
from tests.support.broadcast import Audience, gather_audience, progress
from tests.support.stack import RunningStack
from tests.support.waiting import eventually

STACK_SETTINGS = {
    "RELAYGRAM_RECONNECT_CAP_SECONDS": "2",  # connections are lost all the time here
    "RELAYGRAM_RANDOM_ID_TRUST_SECONDS": "2",
    "RELAYGRAM_LEASE_SECONDS": "4",
    "RELAYGRAM_RATE_LIMIT_PER_MINUTE": "0",
}
STACK_ARGUMENTS = ("--scale", "telegram-gateway=2", "--scale", "dispatcher=2")
MORTALS = (
    "telegram-gateway", "telegram-gateway-2", "dispatcher", "dispatcher-2", "log-writer", "api", "nats", "postgres",
    "sandbox",
)  # fmt: skip
_ACCOUNTS = 3
_RATE = 120  # messages a second and account
_SEND = "messages.sendMessage"
_FAULTS: tuple[dict[str, Any], ...] = (
    {"name": "server error", "method": _SEND, "probability": 0.01, "action": {"error": "RPC_CALL_FAIL"}},
    {"name": "drop before", "method": _SEND, "probability": 0.003, "action": {"drop": "before"}},
    {"name": "drop after", "method": _SEND, "probability": 0.003, "action": {"drop": "after"}},
    {"name": "flood", "method": _SEND, "probability": 0.001, "action": {"error": "FLOOD_WAIT_2"}},
    {"name": "private", "method": _SEND, "probability": 0.01, "action": {"error": "USER_PRIVACY_RESTRICTED"}},
)
# What a message may fail of here: Telegram said so, or said nothing four times; or the person has replied.
EXPLAINED = frozenset({"USER_PRIVACY_RESTRICTED", "NETWORK", "REPLIED"})
_STEPS = ("The first step. ", "The second step. ")
_STEP_SECONDS = 3
_ANSWER_EVERY = 10  # of the people of the sequence every tenth answers the first step
_ASKING = 100  # strangers who ask for the price while all this goes on
_PRICE = "The price for you is 20."


@dataclass(slots=True)
class Report:
    """What a soak found; `rates` are the most messages that Telegram got of an account within any second."""

    seed: int
    people: int
    seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    rates: list[int] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)  # auto-replies by stranger
    written_to_after_reply: list[str] = field(default_factory=list)
    rate_limit: int = _RATE

    @property
    def line(self) -> str:
        """For the terminal and for docs/guarantees.md."""
        sent, failed, lost, doubled = (
            sum(count) for count in zip(*(
                (one.sent, one.failed, len(one.lost), len(one.doubled)) for one in self.verdicts.values()
            ), strict=True)
        )  # fmt: skip
        return (
            f"soak with seed {self.seed}: {self.people} people, {sent} sent, {failed} failed, {lost} lost, "
            f"{doubled} doubled, {len(self.answers)} of {_ASKING} questions answered, "
            f"{sum(self.kills.values())} kills, at most {max(self.rates)} of {self.rate_limit} messages in a second, "
            f"{self.seconds:.0f} s"
        )


async def soak(stack: RunningStack, *, people: int, seed: int, most_kills: int) -> Report:
    """Run it to its end; raises when the campaigns do not complete in time."""
    report, chance = Report(seed, people), random.Random(seed)  # noqa: S311 - the same story each time
    (await stack.sandbox.put("/settings", json={"random_id_memory_seconds": 5})).raise_for_status()
    audiences = [
        await gather_audience(
            stack, people=people // _ACCOUNTS, messages_per_second=_RATE, phone=f"+491530000000{number}",
            handle_stem=f"soak{number}",
        )
        for number in range(_ACCOUNTS)
    ]  # fmt: skip
    campaigns = [await one.draft(f"Soak {number}") for number, one in enumerate(audiences)]
    await _make_sequence(stack, campaigns[-1])
    await _make_people_answer(stack, audiences[-1])
    prices, strangers = await _make_auto_reply(stack, audiences[0])
    for fault in _FAULTS:
        (await stack.sandbox.post("/faults", json=fault)).raise_for_status()
    began = time.monotonic()
    for campaign in campaigns:
        await stack.api.call("POST", f"/campaigns/{campaign}/start")
    beside = [
        asyncio.create_task(_kill_now_and_then(stack, chance, report, most_kills)),
        asyncio.create_task(_ask_now_and_then(stack, audiences[0], strangers, random.Random(seed + 1))),  # noqa: S311
    ]
    try:
        for campaign in campaigns:
            await _completed(stack, campaign, 120 + people / 20)
        await beside[1]
        rows = await eventually(lambda: _all_decided(stack, prices), 60, what="all questions decided")
    finally:
        await cancel_and_wait(beside)
    report.seconds = time.monotonic() - began
    report.answers = Counter(message.to_id for message in await audiences[0].texts(_PRICE))
    assert len(report.answers) == sum(1 for row in rows if row["status"] == "sent")
    report.failures.update(row["error"]["code"] for row in rows if row["status"] == "failed")
    await _judge(stack, audiences, campaigns, report)
    return report


async def _make_sequence(stack: RunningStack, campaign: int) -> None:
    steps = [{"body": text + BODY, "delay_seconds": position * _STEP_SECONDS} for position, text in enumerate(_STEPS)]
    await stack.api.call("PUT", f"/campaigns/{campaign}/steps", json={"steps": steps})


async def _make_people_answer(stack: RunningStack, audience: Audience) -> None:
    for person in _who_answers(audience).values():
        reply = {"reply": {"text": "Yes!", "after_seconds": 0.2}}
        (await stack.sandbox.patch(f"/users/{person}", json=reply)).raise_for_status()


async def _make_auto_reply(stack: RunningStack, audience: Audience) -> tuple[int, list[int]]:
    """The campaign that answers, and the ids of strangers who will ask."""
    draft = {"name": "Price", "mode": "auto_reply", "trigger_keyword": "price", "body": _PRICE}
    campaign = await stack.api.call("POST", "/campaigns", json={**draft, "telegram_account_id": audience.account_id})
    await stack.api.call("POST", f"/campaigns/{campaign['id']}/start")
    people = [{"username": f"asking_{number}", "first_name": "Asking"} for number in range(_ASKING)]
    made = (await stack.sandbox.post("/users", json=people)).raise_for_status().json()
    return campaign["id"], [person["id"] for person in made]


def _who_answers(audience: Audience) -> dict[str, int]:
    return dict(list(audience.ids.items())[::_ANSWER_EVERY])


async def _ask_now_and_then(
    stack: RunningStack, audience: Audience, strangers: Sequence[int], chance: random.Random
) -> None:
    question = {"to_id": audience.telegram_user_id, "text": "What is the PRICE?"}
    for stranger in strangers:
        await asyncio.sleep(chance.uniform(0.0, 0.5))  # the story itself: nothing is awaited here

        async def asked(stranger: int = stranger) -> bool:
            try:
                return (await stack.sandbox.post(f"/users/{stranger}/messages", json=question)).is_success
            except httpx.TransportError:
                return False  # the sandbox is the part that was killed

        await eventually(asked, 60)


async def _all_decided(stack: RunningStack, campaign: int) -> list[dict[str, Any]] | None:
    """The log of the auto-reply, once each question was answered, or Telegram would not have it."""
    rows = await stack.api.log(campaign)
    return rows if len(rows) == _ASKING and all(row["status"] != "pending" for row in rows) else None


async def _kill_now_and_then(stack: RunningStack, chance: random.Random, report: Report, most: int) -> None:
    for _ in range(most):
        await asyncio.sleep(chance.uniform(1.0, 4.0))  # the story itself: nothing is awaited here
        part = chance.choice(MORTALS)
        old = stack.kill(part)
        report.kills[part] += 1
        await stack.restarted(part, old)


async def _completed(stack: RunningStack, campaign: int, timeout: float) -> None:
    async def check() -> bool:
        now = await progress(stack, campaign)
        assert now is not None
        assert now["status"] in ("running", "completed"), now
        return bool(now["status"] == "completed")

    await eventually(check, timeout, what=f"campaign {campaign} completed")


async def _judge(stack: RunningStack, audiences: Sequence[Audience], campaigns: Sequence[int], report: Report) -> None:
    for number, (audience, campaign) in enumerate(zip(audiences, campaigns, strict=True)):
        rows = await stack.api.log(campaign)
        report.failures.update(row["error"]["code"] for row in rows if row["status"] == "failed")
        log = [logged(row) for row in rows]
        prefixes = _STEPS if number == _ACCOUNTS - 1 else (f"Soak {number}. ",)
        expected = audience.ids
        replied = _who_answers(audience) if number == _ACCOUNTS - 1 else {}
        for prefix in prefixes:
            of_step = [row for row in log if row.body.startswith(prefix) and row.error_code != "REPLIED"]
            record = await audience.record(prefix.removesuffix(". "))
            verdict = judge(len(expected), expected, of_step, record)
            report.verdicts[prefix.strip()] = verdict
            got = {message.to_id for message in record}
            if prefix == _STEPS[1]:
                report.written_to_after_reply = [seat for seat, person in replied.items() if person in got]
            expected = {seat: person for seat, person in expected.items() if person in got and seat not in replied}
    stats = (await stack.sandbox.get("/stats")).raise_for_status().json()
    report.rates = [stats["accounts"][str(one.telegram_user_id)]["max_in_one_second"] for one in audiences]
    report.refused = stats["refused"]
