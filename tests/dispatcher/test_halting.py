"""Pause, stop and delete, from the dispatcher's side."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from relaygram_dispatcher.adapters.nats_out import NatsOut
from relaygram_dispatcher.core.pages import jobs_of, queued_events
from relaygram_dispatcher.core.run import Contact, Content
from tests.dispatcher.line import Outside, gateway
from tests.support.waiting import eventually

_LEDGER = """
insert into telegram.sends (job_id, workspace_id, campaign_id, account_id, contact_id, step, state, attempt, term,
                            first_at, last_at, decided_at, body, telegram_message_id, code, message)
select m.job_id, m.workspace_id, m.campaign_id, m.account_id, m.sender_id, 0, $2, 2, 1, now(), now(),
       case when $2 <> 'sending' then now() end, 'As sent', case when $2 = 'accepted' then 99 end,
       case when $2 = 'refused' then 'USER_PRIVACY' end, case when $2 = 'refused' then 'No.' end
  from delivery.messages m where m.campaign_id = $1 and m.position = $3"""


async def _logged(line: Outside, campaign_id: int, rows: int) -> None:
    async def there() -> bool:
        return sum(await line.counters(campaign_id)) == rows

    await eventually(there, what=f"{rows} rows")


async def _finished(line: Outside, campaign_id: int) -> None:
    async def there() -> Any:
        return (await line.run(campaign_id)).get("finished_at")

    await eventually(there, what="the run finished")


async def test_a_paused_campaign_makes_no_jobs_and_goes_on_where_it_was(line: Outside) -> None:
    campaign_id = await line.campaign(1500)
    await line.expanded(campaign_id, 1000)  # the window is full
    await line.transition(campaign_id, "pause")
    async with gateway(line, campaign_id) as telegram:
        await eventually(lambda: len(telegram.seen) == 1000)
        await asyncio.sleep(0.4)  # four looks with room in the window
        assert (await line.run(campaign_id))["jobs_made"] == 1000
        await line.transition(campaign_id, "start")
        await line.becomes(campaign_id, "completed")
    assert len({job.job_id for job in telegram.seen}) == 1500


async def test_stopping_discards_what_waits(line: Outside) -> None:
    campaign_id = await line.campaign(1500)
    await line.expanded(campaign_id, 1000)
    await line.transition(campaign_id, "stop")
    await _finished(line, campaign_id)
    assert await line.waiting(campaign_id) == 0
    assert await line.counters(campaign_id) == (0, 0, 1000)  # people never expanded have no rows
    rows = await line.rows(campaign_id)
    assert {(row["state"], row["error_code"], row["attempt"]) for row in rows} == {("discarded", "STOPPED", 0)}
    assert {row["body"][:9] for row in rows} == {"Hello Ann"}


async def test_deleting_discards_too(line: Outside) -> None:
    campaign_id = await line.campaign(30)
    await line.expanded(campaign_id, 30)
    await line.delete(campaign_id)
    await _finished(line, campaign_id)
    assert await line.waiting(campaign_id) == 0
    assert {row["error_code"] for row in await line.rows(campaign_id)} == {"DELETED"}


async def test_a_stop_leaves_to_the_gateway_what_is_on_the_wire_and_tells_what_was_decided(line: Outside) -> None:
    campaign_id = await line.campaign(10)
    await _logged(line, campaign_id, 10)
    for state, position in (("sending", 3), ("accepted", 4), ("refused", 5)):
        await line.pool.execute(_LEDGER, campaign_id, state, position)
    await line.transition(campaign_id, "stop")

    async def only_one_pending() -> bool:
        return await line.counters(campaign_id) == (1, 1, 8)

    await eventually(only_one_pending)
    states = {row["position"]: (row["state"], row["error_code"]) for row in await line.rows(campaign_id)}
    assert (states[3], states[4], states[5]) == (("queued", None), ("sent", None), ("failed", "USER_PRIVACY"))
    accepted = (await line.rows(campaign_id))[3]
    assert (accepted["telegram_message_id"], accepted["attempt"], accepted["body"]) == (99, 2, "As sent")
    assert (await line.run(campaign_id))["finished_at"] is None

    async def asked_again() -> bool:
        return await line.waiting(campaign_id) == 1

    await eventually(asked_again)  # the gateway that had it on the wire may be no more
    await line.pool.execute(
        "update telegram.sends set state = 'accepted', decided_at = now() where campaign_id = $1 and state = 'sending'",
        campaign_id,
    )
    await _finished(line, campaign_id)
    assert await line.counters(campaign_id) == (0, 2, 8)


async def test_what_telegram_accepted_after_all_outranks_the_stop(line: Outside) -> None:
    campaign_id = await line.campaign(5)
    await line.expanded(campaign_id, 5)
    async with gateway(line, campaign_id, refuse_every=0) as telegram:
        await eventually(lambda: len(telegram.seen) == 5)
        jobs = telegram.seen[:2]
        await line.becomes(campaign_id, "completed")

    stopped = await line.campaign(5)
    await line.expanded(stopped, 5)
    await line.transition(stopped, "stop")
    await _finished(line, stopped)
    told = [job.model_copy(update={"campaign_id": stopped, "job_id": row["job_id"], "contact_id": row["sender_id"]})
            for job, row in zip(jobs, await line.rows(stopped), strict=False)]  # fmt: skip
    await telegram.tell(told)

    async def outranked() -> bool:
        return await line.counters(stopped) == (0, 2, 3)

    await eventually(outranked)


async def test_what_comes_after_the_end_is_swept(line: Outside) -> None:
    campaign_id = await line.campaign(3)
    await _logged(line, campaign_id, 3)
    await line.transition(campaign_id, "stop")
    await _finished(line, campaign_id)
    # A dispatcher that was frozen in the middle of a page wakes up and publishes what it had in hand.
    run = await line.run(campaign_id)
    content = Content(line.workspace_id, campaign_id, line.account_id, run["run_id"], "Hi", "@shop", None, None, None)
    late = queued_events(content, [Contact(10**9, None, "late", None, None, {})], now=datetime.now(UTC))
    out = NatsOut(line.publisher)
    await out.events(late)
    await out.jobs(jobs_of(content, late))

    async def swept() -> bool:
        return await line.counters(campaign_id) == (0, 0, 4) and await line.waiting(campaign_id) == 0

    await eventually(swept)
