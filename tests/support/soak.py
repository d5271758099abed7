"""A soak: broadcasts and a sequence from three accounts, while Telegram errs and parts of the stack are killed.

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

from relaygram_local_stack.demo.api import logged
from relaygram_local_stack.demo.verdict import BODY, RecordedMessage, Verdict, judge
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
# What a message may fail of here: Telegram said so, or said nothing four times.
EXPLAINED = frozenset({"USER_PRIVACY_RESTRICTED", "NETWORK"})
_STEPS = ("The first step. ", "The second step. ")


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
            f"{doubled} doubled, {sum(self.kills.values())} kills, at most {max(self.rates)} of {self.rate_limit} "
            f"messages in a second, {self.seconds:.0f} s"
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
    for fault in _FAULTS:
        (await stack.sandbox.post("/faults", json=fault)).raise_for_status()
    began = time.monotonic()
    for campaign in campaigns:
        await stack.api.call("POST", f"/campaigns/{campaign}/start")
    killing = asyncio.create_task(_kill_now_and_then(stack, chance, report, most_kills))
    try:
        for campaign in campaigns:
            await _completed(stack, campaign, 120 + people / 20)
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
    report.seconds = time.monotonic() - began
    await _judge(stack, audiences, campaigns, report)
    return report


async def _make_sequence(stack: RunningStack, campaign: int) -> None:
    steps = [{"body": text + BODY, "delay_seconds": position} for position, text in enumerate(_STEPS)]
    await stack.api.call("PUT", f"/campaigns/{campaign}/steps", json={"steps": steps})


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
        for prefix in prefixes:
            of_step = [row for row in log if row.body.startswith(prefix)]
            record = await audience.record(prefix.removesuffix(". "))
            verdict = judge(len(expected), expected, of_step, record)
            report.verdicts[prefix.strip()] = verdict
            expected = _who_got_it(expected, record)
    stats = (await stack.sandbox.get("/stats")).raise_for_status().json()
    report.rates = [stats["accounts"][str(one.telegram_user_id)]["max_in_one_second"] for one in audiences]
    report.refused = stats["refused"]


def _who_got_it(people: dict[str, int], record: Sequence[RecordedMessage]) -> dict[str, int]:
    """The next step is for those who got this one."""
    got = {message.to_id for message in record}
    return {seat: person for seat, person in people.items() if person in got}
