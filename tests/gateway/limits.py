"""What tests of limits and waits ask and arrange."""

from datetime import datetime, timedelta
from typing import Any

from relaygram_common.contracts.ids import job_id
from relaygram_common.contracts.jobs import SendJob
from tests.gateway.world import Account, World
from tests.support.waiting import eventually


async def fault(world: World, account: Account, name: str, method: str = "messages.sendMessage", **rule: Any) -> None:
    """Let Telegram misbehave towards this account."""
    await world.sandbox.post(
        "/faults", {"name": f"{name} {account.id}", "account_id": account.person["id"], "method": method, **rule}
    )


async def waits(world: World, account: Account) -> tuple[str, datetime | None] | None:
    """What the account says that keeps it, and until when."""
    row = await world.sql.fetchrow("select waiting_for, until from telegram.waits where account_id = $1", account.id)
    return None if row is None else (row["waiting_for"], row["until"])


async def waits_for(world: World, account: Account, reason: str | None) -> datetime | None:
    """Wait until it says so; until when."""

    async def told() -> bool:
        now = await waits(world, account)
        assert (now and now[0]) == reason, now
        return True

    await eventually(told, 15)
    now = await waits(world, account)
    return now[1] if now else None


async def used(world: World, account: Account, messages: int, *, ago: timedelta) -> None:
    """As if the account had tried so many messages then."""
    await world.sql.execute(
        "insert into telegram.usage (account_id, minute, workspace_id, sends)"
        " values ($1, date_trunc('minute', now() - $4::interval), $2, $3)",
        account.id, world.workspace, messages, ago,
    )  # fmt: skip


async def accepted(world: World, account: Account, messages: int) -> None:
    """Wait until Telegram has so many messages of the account."""

    async def there() -> bool:
        return len(await world.accepted(account)) == messages

    await eventually(there)


async def usage(world: World, account: Account) -> int:
    """What it tried, in all."""
    return int(await world.sql.fetchval("select sum(sends) from telegram.usage where account_id = $1", account.id))


async def answers(world: World, account: Account, people: list[dict[str, Any]]) -> list[SendJob]:
    """Auto-replies to these people."""
    statement = (
        "insert into control.campaigns (workspace_id, name, mode, trigger_keyword, body, telegram_account_id, status)"
        " values ($1, 'c', 'auto_reply', 'hi', 'Answer {{first_name}}', $2, 'running') returning id"
    )
    campaign = int(await world.sql.fetchval(statement, world.workspace, account.id))
    jobs = world.jobs(account, campaign, await world.contacts(campaign, people))
    answers = [
        job.model_copy(
            update={
                "job_id": job_id("auto_reply", campaign, job.contact_id, trigger=7),
                "trigger": "auto_reply",
                "triggered_by_message_id": 7,
            }
        )
        for job in jobs
    ]
    await world.publish(answers)
    return answers
