"""Steps of a campaign: what can be saved, who is who afterwards, and who hears of it."""

import asyncio
import json
from typing import Any

import nats
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.js.errors import NotFoundError

from relaygram_api.core.sequence import Step, in_order, replaced
from relaygram_common.topology import CAMPAIGN_COMMANDS
from tests.api.log_rows import row, write_log
from tests.api.support import Api
from tests.support.waiting import eventually

FOLLOW_UPS = [{"after_hours": 24, "body": "Still there?"}, {"after_hours": 0.5, "body": "Hello?"}]


async def identities(api: Api, campaign_id: int) -> dict[str, int]:
    """The number in its jobs' ids, by each step's text."""
    found = await api.sql(
        "select json_object_agg(body, identity) from control.steps where campaign_id = $1", campaign_id
    )
    read: dict[str, int] = json.loads(found) if found else {}
    return read


async def put(api: Api, campaign_id: int, *steps: Any, **arguments: Any) -> Any:
    return await api.data("PUT", f"/campaigns/{campaign_id}/steps", json={"steps": list(steps)}, **arguments)


async def rung_version(api: Api, campaign_id: int, version: int) -> bool:
    """Whether the engine is told of this version."""
    client = await nats.connect(api.parts.settings.nats_url)
    try:
        subject = f"campaign.command.update.{api.workspace_id}.{campaign_id}"

        async def told() -> bool:
            try:
                message = await client.jetstream().get_last_msg(CAMPAIGN_COMMANDS, subject)
            except NotFoundError:
                return False
            return bool(json.loads(message.data or b"{}")["version"] == version)

        return bool(await eventually(told, 20))
    finally:
        await client.close()


async def test_a_campaign_has_no_steps_until_it_is_given_some(api: Api) -> None:
    path = f"/campaigns/{(await api.campaign())['id']}/steps"
    assert await api.call("GET", path) == {"data": [], "meta": {}}
    given = [{"body": "One", "followups": FOLLOW_UPS}, {"body": "Two {{first_name|there}}", "delay_seconds": 86400}]
    saved = await api.call("PUT", path, json={"steps": given})
    assert saved["meta"] == {}
    first, second = saved["data"]
    assert first == {
        "step_id": first["step_id"], "position": 0, "body": "One", "delay_seconds": 0, "attachments": [],
        "followups": FOLLOW_UPS,
    }  # fmt: skip
    assert (second["position"], second["delay_seconds"], second["followups"]) == (1, 86400, [])
    assert await api.call("GET", path) == saved
    assert await api.call("PUT", path, json={"steps": saved["data"]}) == saved


async def test_the_first_step_takes_the_bodys_place_and_all_others_have_numbers_of_their_own(api: Api) -> None:
    campaign = await api.campaign()
    saved = await put(api, campaign["id"], {"body": "One"}, {"body": "Two"})
    assert await identities(api, campaign["id"]) == {"One": 0, "Two": saved[1]["step_id"]}


async def test_a_step_is_who_it_was_by_its_number_wherever_it_is_moved(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    one, two, three = await put(api, campaign_id, {"body": "One"}, {"body": "Two"}, {"body": "Three"})
    before = await identities(api, campaign_id)
    moved = [
        {"step_id": three["step_id"], "body": "Three"},
        {"body": "New"},
        {"step_id": one["step_id"], "body": "One, edited"},
    ]
    saved = await put(api, campaign_id, *moved)
    assert [step["step_id"] for step in saved] == [three["step_id"], saved[1]["step_id"], one["step_id"]]
    assert saved[1]["step_id"] == two["step_id"]  # without a number it is the one at its position
    after = await identities(api, campaign_id)
    assert after == {"Three": before["Three"], "New": before["Two"], "One, edited": 0}


async def test_a_new_first_step_is_nobody_who_was_there_before(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    (one,) = await put(api, campaign_id, {"body": "One"})
    saved = await put(api, campaign_id, {"body": "Before"}, {"step_id": one["step_id"], "body": "One"})
    assert await identities(api, campaign_id) == {"Before": saved[0]["step_id"], "One": 0}
    await put(api, campaign_id, {"step_id": saved[0]["step_id"], "body": "Before"})
    rest = await put(api, campaign_id, {"body": "Again"}, {"step_id": saved[0]["step_id"], "body": "Before"})
    assert await identities(api, campaign_id) == {"Again": 0, "Before": saved[0]["step_id"]}
    assert rest[0]["step_id"] not in (one["step_id"], saved[0]["step_id"])
    assert await put(api, campaign_id) == []


async def test_positions_order_the_list_when_all_are_given(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    saved = await put(api, campaign_id, {"position": 1, "body": "Two"}, {"position": 0, "body": "One"})
    assert [step["body"] for step in saved] == ["One", "Two"]
    for wrong in ([1, 2], [0, 0], [0, None], [None, 0]):
        steps = [{"position": place, "body": "x"} for place in wrong]
        errors = await api.errors("PUT", f"/campaigns/{campaign_id}/steps", json={"steps": steps})
        assert [field.partition(".position")[1] for field in errors] == [".position"]


YEAR = 365 * 24 * 3600


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        ([{}], ["steps.0.body"]), ([{"body": " "}], ["steps.0.body"]), ([{"body": "{{"}], ["steps.0.body"]),
        ([{"body": "x", "x": 1}], ["steps.0.x"]), ([{"body": "x" * 4097}], ["steps.0.body"]),
        ([{"body": "x", "step_id": 999999}], ["steps.0.step_id"]),
        ([{"body": "x", "delay_seconds": 1}], ["steps.0.delay_seconds"]),
        ([{"body": "x"}, {"body": "x", "delay_seconds": YEAR + 1}], ["steps.1.delay_seconds"]),
        ([{"body": "x"}, {"body": "x", "delay_seconds": -1}], ["steps.1.delay_seconds"]),
        ([{"body": "x"}, {"body": "x", "delay_seconds": 1.5}], ["steps.1.delay_seconds"]),
        ([{"body": "x", "attachments": [999999]}], ["steps.0.attachments"]),
        ([{"body": "x", "attachments": [1, 2]}], ["steps.0.attachments"]),
        ([{"body": "x", "followups": [{"after_hours": -1, "body": "x"}]}], ["steps.0.followups.0.after_hours"]),
        ([{"body": "x", "followups": [{"after_hours": 8760.5, "body": "x"}]}], ["steps.0.followups.0.after_hours"]),
        ([{"body": "x", "followups": [{"after_hours": "1", "body": "x"}]}], ["steps.0.followups.0.after_hours"]),
        ([{"body": "x", "followups": [{"after_hours": 1, "body": ""}]}], ["steps.0.followups.0.body"]),
        ([{"body": "x", "followups": [{"after_hours": 1, "body": "x"}] * 21}], ["steps.0.followups"]),
        ([{"body": "x"}] * 101, ["steps"]), ("x", ["steps"]),
    ],
)  # fmt: skip
async def test_what_can_not_be_saved_is_422_by_step_and_field(api: Api, steps: Any, wrong: list[str]) -> None:
    path = f"/campaigns/{(await api.campaign())['id']}/steps"
    assert list(await api.errors("PUT", path, json={"steps": steps})) == wrong
    assert (await api.call("GET", path))["data"] == []


async def test_steps_of_others_and_doubles_are_refused(api: Api) -> None:
    own, other = (await api.campaign())["id"], (await api.campaign())["id"]
    (mine,), (theirs,) = await put(api, own, {"body": "x"}), await put(api, other, {"body": "x"})
    for steps, place in (([theirs], 0), ([mine, {**mine, "position": 1}], 1)):
        errors = await api.errors("PUT", f"/campaigns/{own}/steps", json={"steps": steps})
        assert list(errors) == [f"steps.{place}.step_id"]


async def test_bounds_are_inclusive(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    last = {"body": "x", "delay_seconds": YEAR, "followups": [{"after_hours": 8760, "body": "x"}]}
    saved = await put(api, campaign_id, *([{"body": "x"}] * 99), last)
    assert saved[99]["delay_seconds"] == YEAR


async def test_an_auto_reply_has_no_steps_and_a_campaign_with_steps_stays_a_broadcast(api: Api) -> None:
    reply = await api.campaign(mode="auto_reply", trigger_keyword="hi")
    assert list(await api.errors("PUT", f"/campaigns/{reply['id']}/steps", json={"steps": [{"body": "x"}]})) == [
        "steps"
    ]
    broadcast = (await api.campaign())["id"]
    await put(api, broadcast, {"body": "x"})
    change = {"mode": "auto_reply", "trigger_keyword": "hi"}
    assert list(await api.errors("PUT", f"/campaigns/{broadcast}", json=change)) == ["mode"]


async def test_a_change_is_a_new_version_that_rings_and_the_same_list_is_none(api: Api) -> None:
    campaign = await api.broadcast()
    path = f"/campaigns/{campaign['id']}"
    await api.call("POST", f"{path}/start")
    version = "select version from control.campaigns where id = $1"
    before = await api.sql(version, campaign["id"])
    steps = {"steps": [{"body": "One"}, {"body": "Two"}]}
    answer = await api.client.put(f"/api/v1{path}/steps", json=steps)
    assert await api.sql(version, campaign["id"]) == before + 1
    again = await api.client.put(f"/api/v1{path}/steps", json=steps)
    assert again.headers["ETag"] == answer.headers["ETag"]
    assert await api.sql(version, campaign["id"]) == before + 1
    assert await rung_version(api, campaign["id"], before + 1)
    quiet = {"quiet_hours": {"start": "21:00", "end": "08:00"}, "time_zone": "Europe/Berlin"}
    await api.call("PUT", path, json=quiet)
    assert await rung_version(api, campaign["id"], before + 2)


async def test_etags_are_the_campaigns(api: Api) -> None:
    path = f"/api/v1/campaigns/{(await api.campaign())['id']}"
    seen = (await api.client.get(path)).headers["ETag"]
    first = await api.client.put(f"{path}/steps", json={"steps": [{"body": "x"}]}, headers={"If-Match": seen})
    assert first.status_code == 200
    late = await api.client.put(f"{path}/steps", json={"steps": []}, headers={"If-Match": seen})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    read = await api.client.get(f"{path}/steps")
    assert read.headers["ETag"] == first.headers["ETag"]
    same = await api.client.get(f"{path}/steps", headers={"If-None-Match": read.headers["ETag"]})
    assert same.status_code == 304
    put_back = await api.client.put(
        f"{path}/steps", json={"steps": [{"body": "y"}]}, headers={"If-Match": read.headers["ETag"]}
    )
    assert put_back.status_code == 200


@pytest.mark.parametrize("status", ["completed", "stopped"])
async def test_what_has_ended_keeps_its_steps(api: Api, status: str) -> None:
    campaign = await api.broadcast(contacts=1)
    path = f"/campaigns/{campaign['id']}"
    await put(api, campaign["id"], {"body": "One"})
    await api.call("POST", f"{path}/start")
    await api.sql(
        "select outcome from control.transition($1, $2, $3, 'test')",
        api.workspace_id, campaign["id"], {"completed": "complete", "stopped": "stop"}[status],
    )  # fmt: skip
    refused = await api.call("PUT", f"{path}/steps", status=409, json={"steps": []})
    assert (refused["code"], status in refused["message"]) == ("not_changeable", True)
    assert len((await api.call("GET", f"{path}/steps"))["data"]) == 1


async def test_previews_and_tests_are_of_the_step_asked_for(api: Api) -> None:
    campaign = await api.campaign(body="The body")
    path = f"/campaigns/{campaign['id']}"
    assert list(await api.errors("POST", f"{path}/preview?step=1")) == ["step"]
    follow_up = {"after_hours": 1, "body": "Well, {{first_name}}?"}
    await put(
        api, campaign["id"], {"body": "One {{first_name}}"}, {"body": "Two {{first_name}}", "followups": [follow_up]}
    )
    jane = {"contact": {"first_name": "Jane"}}
    assert (await api.data("POST", f"{path}/preview", json=jane))["text"] == "One Jane"
    second = await api.data("POST", f"{path}/preview?step=1", json=jane)
    assert (second["text"], second["step"]) == ("Two Jane", 1)
    assert list(await api.errors("POST", f"{path}/preview?step=2")) == ["step"]
    assert list(await api.errors("POST", f"{path}/preview?step=x")) == ["step"]
    person = {"handle": "@jane_doe", "first_name": "Jane"}
    headers = {"X-Request-Id": "one-request"}
    jobs = set()
    well = await api.data("POST", f"{path}/preview?step=1&follow_up=0", json=jane)
    assert (well["text"], well["step"], well["follow_up"]) == ("Well, Jane?", 1, 0)
    for place in ("step=1&follow_up=1", "follow_up=0", "step=1&follow_up=-1"):
        assert list(await api.errors("POST", f"{path}/preview?{place}")) == ["follow_up"]
    for place, text in (("step=0", "One Jane"), ("step=1", "Two Jane"), ("step=1&follow_up=0", "Well, Jane?")):
        made = await api.data("POST", f"{path}/test?{place}", status=202, json=person, headers=headers)
        assert made["body"] == text
        kept = await api.sql("select body from control.single_sends where job_id = $1::uuid", made["job_id"])
        assert kept == text.replace("Jane", "{{first_name}}")
        jobs.add(made["job_id"])
    assert len(jobs) == 3
    assert list(await api.errors("POST", f"{path}/test?step=2", json=person)) == ["step"]


async def test_people_are_in_the_list_once_whatever_steps_they_got(api: Api) -> None:
    campaign = await api.broadcast(contacts=1)
    (person,) = await api.data("GET", f"/campaigns/{campaign['id']}/senders")
    rows = [row(campaign["id"], "sent", sender_id=person["id"], step=step, trigger="sequence") for step in (0, 1)]
    await write_log(api, rows)
    replied = {**rows[0], "state": "replied", "rank": 7, "replied_at": rows[0]["sent_at"]}
    await write_log(api, [replied])
    (person,) = await api.data("GET", f"/campaigns/{campaign['id']}/senders")
    assert (person["status"], person["last_reply_at"] is not None) == ("replied", True)
    counted = await api.data("GET", f"/campaigns/{campaign['id']}")
    assert (counted["sent_count"], counted["reply_count"], counted["read_count"]) == (2, 1, 1)
    steps = [one["sequence_step"] for one in await api.data("GET", f"/campaigns/{campaign['id']}/logs")]
    assert steps == [0, 1]


BODIES = st.sampled_from("abc")


@given(st.lists(BODIES, max_size=5), st.data())
def test_whatever_is_put_no_two_steps_are_one_and_what_was_named_stays(bodies: list[str], data: st.DataObject) -> None:
    old = [
        Step(position=place, body=body, step_id=place + 10, identity=0 if place == 0 else place + 10)
        for place, body in enumerate(bodies)
    ]
    names = data.draw(st.lists(st.sampled_from([None, *(step.step_id for step in old)]), max_size=6))
    names = [None if name in names[:place] else name for place, name in enumerate(names)]
    given_steps = [Step(position=place, body=data.draw(BODIES), step_id=name) for place, name in enumerate(names)]
    change = replaced(old, given_steps)
    assert [step.position for step in change.steps] == list(range(len(given_steps)))
    assert [step.body for step in change.steps] == [step.body for step in given_steps]
    ids = [step.step_id for step in change.steps if step.step_id is not None]
    assert len(ids) == len(set(ids))
    identities = [step.identity for step in change.steps if step.identity is not None]
    assert len(identities) == len(set(identities))
    was = {step.step_id: step.identity for step in old}
    assert all(step.identity == was[step.step_id] for step in change.steps if step.step_id in was)
    assert {*change.removed, *ids} == set(was)
    for name, step in zip(names, change.steps, strict=True):
        assert name is None or step.step_id == name
    assert replaced(change.steps, change.steps).is_same == all(step.step_id is not None for step in change.steps)


@given(st.permutations(range(4)))
def test_positions_are_an_order(places: list[int]) -> None:
    order = in_order(places)
    assert order is not None
    assert [places[given] for given in order] == [0, 1, 2, 3]


async def test_of_many_lists_put_at_once_the_last_one_stands_whole(api: Api) -> None:
    campaign_id = (await api.campaign())["id"]
    await put(api, campaign_id, {"body": "One"})
    path = f"/api/v1/campaigns/{campaign_id}/steps"
    lists = [[{"body": f"{size}.{place}"} for place in range(size)] for size in range(1, 9)]
    answers = await asyncio.gather(*(api.client.put(path, json={"steps": steps}) for steps in lists))
    assert {answer.status_code for answer in answers} == {200}
    versions = [int(answer.headers["ETag"].strip('"').partition("-")[0]) for answer in answers]
    assert len(set(versions)) == len(lists)
    last = answers[versions.index(max(versions))].json()["data"]
    assert await api.data("GET", f"/campaigns/{campaign_id}/steps") == last
    assert [step["position"] for step in last] == list(range(len(last)))
    assert len(await identities(api, campaign_id)) == len(last)
