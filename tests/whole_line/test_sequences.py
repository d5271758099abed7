"""A sequence with a follow-up through the whole line, and what a reply, an edit and a kill do to it."""

from collections import Counter
from typing import Any

import pytest

from tests.support.broadcast import gather_audience
from tests.support.stack import RunningStack
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(180)

_SILENT: list[dict[str, Any]] = [{"username": f"silent_{number}", "first_name": f"S{number}"} for number in range(8)]
_WRITERS: list[dict[str, Any]] = [
    {"username": f"writer_{number}", "first_name": f"W{number}", "reply": {"text": "Yes?", "after_seconds": 0.2}}
    for number in range(3)
]
_SECOND = 1 / 3600


async def test_each_step_comes_after_the_one_before_unless_there_was_a_reply(stack: RunningStack) -> None:
    audience = await gather_audience(
        stack, people=1, messages_per_second=30, phone="+4915400000019", handle_stem="nobody_there"
    )
    (await stack.sandbox.post("/users", json=[*_SILENT, *_WRITERS])).raise_for_status()
    campaign = await stack.api.call(
        "POST",
        "/campaigns",
        json={"name": "Steps", "mode": "broadcast", "body": "Unused", "telegram_account_id": audience.account_id},
    )
    path = f"/campaigns/{campaign['id']}"
    steps: list[dict[str, Any]] = [
        {"body": "One {{handle}}", "followups": [{"after_hours": 2 * _SECOND, "body": "Still there, {{handle}}?"}]},
        {"body": "Two {{handle}}", "delay_seconds": 4},
    ]
    await stack.api.call("PUT", f"{path}/steps", json={"steps": steps})
    people = "".join(f"{one['username']}\n" for one in [*_SILENT, *_WRITERS])
    await stack.api.import_contacts(campaign["id"], "handle\n" + people)
    await stack.api.call("POST", f"{path}/start")

    async def waiting() -> Any:
        now = await stack.api.call("GET", path)
        return now if now["sent_count"] >= 11 and now["waiting_for"] == "delay" else None

    now = await eventually(waiting, 60.0)
    assert now["status"] == "running"
    assert now["next_send_at"] is not None
    stack.kill("dispatcher")  # while everything waits
    stored = await stack.api.call("GET", f"{path}/steps")
    stored[1]["body"] = "Edited {{handle}}"
    await stack.api.call("PUT", f"{path}/steps", json={"steps": stored})

    await stack.api.await_status(path, {"completed"}, bad={"stopped", "paused"}, seconds=60)
    rows = await stack.api.log(campaign["id"])
    expected = Counter({f"One @{one['username']}": 1 for one in [*_SILENT, *_WRITERS]})
    expected.update(f"Still there, @{one['username']}?" for one in _SILENT)
    expected.update(f"Edited @{one['username']}" for one in _SILENT)
    assert Counter(row["body"] for row in rows if row["status"] == "sent") == expected
    accepted = (await stack.sandbox.get("/messages", params={"limit": 10000})).json()
    assert Counter(one["text"] for one in accepted if one["text"] in expected) == expected
    final = await stack.api.call("GET", path)
    assert (final["sent_count"], final["pending_count"], final["waiting_for"]) == (27, 0, None)
