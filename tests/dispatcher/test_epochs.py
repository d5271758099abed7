"""Who held a run before, and hangs, and wakes up: nothing it writes counts, whatever it was about to do."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.dispatcher.line import Outside

_JOB, _NOW = uuid4(), datetime.now(UTC)
# What a dispatcher writes under an epoch, with arguments after campaign and epoch.
_WRITES: dict[str, tuple[Any, ...]] = {
    "dispatch.begin_page": (0, [1]),
    "dispatch.advance_run": (0, 9, 5, True, "broadcast", 0, [_JOB], [1], [_NOW], [False]),
    "dispatch.begin_due": ([_JOB],),
    "dispatch.mark_published": ([_JOB],),
    "dispatch.put_off": ([_JOB], [_NOW]),
    "dispatch.follow": (0, 9, True, [_JOB], [1], [_JOB], [1], ["sequence"], [1], [1], [None], [_NOW], [_NOW]),
    "dispatch.publish_again": (10,),
    "dispatch.plan_page": (0, 10),
    "dispatch.clear_page": (10,),
}


@pytest.mark.parametrize("write", _WRITES)
async def test_a_write_of_an_older_epoch_changes_nothing(quiet_line: Outside, write: str) -> None:
    line = quiet_line
    campaign_id = await line.campaign(3, start=False, steps=[{"body": "One"}])
    contact = await line.pool.fetchval("select min(id) from control.contacts where campaign_id = $1", campaign_id)
    await line.pool.execute(
        "insert into dispatch.runs (campaign_id, workspace_id, account_id, epoch, lease_owner, lease_until)"
        " values ($1, $2, $3, 8, 'the other', now() + interval '1 hour')",
        campaign_id, line.workspace_id, line.account_id,
    )  # fmt: skip
    await line.pool.execute(
        "insert into dispatch.due (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, due_at)"
        " values ($1, $2, $3, $4, $5, 'broadcast', now())"
        " on conflict (job_id) do update set campaign_id = excluded.campaign_id",
        _JOB, line.workspace_id, campaign_id, line.account_id, contact,
    )  # fmt: skip
    before = await line.run(campaign_id), await line.due(campaign_id)
    places = ", ".join(f"${number}" for number in range(1, len(_WRITES[write]) + 3))
    answer = await line.pool.fetchval(f"select {write}({places})", campaign_id, 7, *_WRITES[write])
    assert answer in (None, False)
    assert (await line.run(campaign_id), await line.due(campaign_id)) == before
    assert not await line.pool.fetchval(
        "select exists (select from dispatch.enrollments where campaign_id = $1)", campaign_id
    )


async def test_what_was_followed_is_not_followed_again(quiet_line: Outside) -> None:
    line = quiet_line
    campaign_id = await line.campaign(1, start=False)
    await line.pool.execute(
        "insert into dispatch.runs (campaign_id, workspace_id, account_id, epoch, followed_revision)"
        " values ($1, $2, $3, 8, 5)",
        campaign_id, line.workspace_id, line.account_id,
    )  # fmt: skip
    arguments = _WRITES["dispatch.follow"][1:]
    places = ", ".join(f"${number}" for number in range(1, len(arguments) + 4))
    for after, came in ((4, None), (5, 0), (5, None)):
        answer = await line.pool.fetchval(f"select dispatch.follow({places})", campaign_id, 8, after, *arguments)
        assert answer == came
