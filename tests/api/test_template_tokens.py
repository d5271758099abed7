"""What texts may ask for: the contacts' columns, known or to come."""

from typing import Any

import pytest

from tests.api.support import Api


async def with_columns(api: Api, **fields: Any) -> str:
    campaign = await api.campaign(body="Hello", **fields)
    await api.import_csv(campaign["id"], "handle,first_name,town,Größe\nann_a,Ann,Oslo,\n")
    return f"/campaigns/{campaign['id']}"


async def test_a_text_may_ask_for_names_and_for_every_column_of_the_imports_so_far(api: Api) -> None:
    path = await with_columns(api)
    body = "{{first_name}} {{last_name|x}} {{handle}} {{town}} {{ Größe | M }}"
    assert (await api.data("PUT", path, json={"body": body}))["body"] == body
    started = await api.data(
        "POST", f"{path}/contacts", status=202, json={"contacts": [{"handle": "bob_b", "color": "red"}]}
    )
    refused = await api.errors("PUT", path, json={"body": "{{colour}}"})
    assert "asks for {{colour}}, which the contacts do not have; they have first_name" in refused["body"][0]
    await api.import_ends(started["id"])
    assert (await api.data("PUT", path, json={"body": "{{color}} {{town}}"}))["body"] == "{{color}} {{town}}"


@pytest.mark.parametrize("token", ["city", "Town", "phone", "tags", "telegram_user_id"])
async def test_an_unknown_token_is_refused_and_named(api: Api, token: str) -> None:
    path = await with_columns(api)
    text = f"Hi {{{{{token}|there}}}}"
    assert f"{{{{{token}}}}}" in (await api.errors("PUT", path, json={"body": text}))["body"][0]
    steps = [{"body": "x", "followups": [{"after_hours": 1, "body": text}]}, {"body": text}]
    errors = await api.errors("PUT", f"{path}/steps", json={"steps": steps})
    assert list(errors) == ["steps.0.followups.0.body", "steps.1.body"]
    assert all(f"{{{{{token}}}}}" in problem for (problem,) in errors.values())


async def test_a_draft_without_contacts_may_ask_for_what_they_will_bring_and_is_looked_at_again_when_it_starts(
    api: Api,
) -> None:
    campaign = await api.campaign(body="Hi from {{town}}")
    path = f"/campaigns/{campaign['id']}"
    await api.import_csv(campaign["id"], "handle,city\nann_a,Oslo\n")
    refused = await api.call("POST", f"{path}/start", status=422)
    assert refused["code"] == "unknown_tokens"
    assert refused["errors"]["body"][0].startswith("asks for {{town}}, which the contacts do not have")
    await api.import_csv(campaign["id"], "handle,town\nbob_b,Rome\n")
    assert (await api.data("POST", f"{path}/start"))["status"] == "running"


async def test_with_steps_the_body_is_not_sent_and_not_asked(api: Api) -> None:
    campaign = await api.campaign(body="Hi from {{town}}")
    path = f"/campaigns/{campaign['id']}"
    await api.call("PUT", f"{path}/steps", json={"steps": [{"body": "One"}, {"body": "{{street}}"}]})
    await api.import_csv(campaign["id"], "handle,city\nann_a,Oslo\n")
    assert list((await api.call("POST", f"{path}/start", status=422))["errors"]) == ["steps.1.body"]
    await api.call("PUT", f"{path}/steps", json={"steps": [{"body": "One"}, {"body": "{{city}}"}]})
    assert (await api.data("POST", f"{path}/start"))["status"] == "running"


async def test_a_schedule_starts_nothing_that_asks_in_vain(api: Api) -> None:
    campaign = await api.campaign(body="Hi from {{town}}", scheduled_at="2999-01-01T00:00:00Z")
    await api.import_csv(campaign["id"], "handle\nann_a\n")
    outcome = await api.sql(
        "select outcome from control.transition($1, $2, 'start', 'dispatcher')",
        api.workspace_id, campaign["id"], role="relaygram_dispatcher",
    )  # fmt: skip
    assert outcome == "unknown_tokens"


async def test_an_auto_reply_asks_for_names_unless_people_were_imported(api: Api) -> None:
    campaign = await api.campaign(mode="auto_reply", trigger_keyword="hi", body="Hello {{first_name}} {{town}}")
    path = f"/campaigns/{campaign['id']}"
    assert (await api.call("POST", f"{path}/start", status=422))["code"] == "unknown_tokens"
    await api.call("PUT", path, json={"body": "Hello {{first_name}}"})
    assert (await api.data("POST", f"{path}/start"))["status"] == "running"
    assert list(await api.errors("PUT", path, json={"body": "{{town}}"})) == ["body"]


async def test_a_misfire_is_shown_until_the_schedule_is_changed(api: Api) -> None:
    campaign = await api.campaign(scheduled_at="2999-01-01T00:00:00Z")
    path = f"/campaigns/{campaign['id']}"
    for change, stays in (({"name": "Other"}, True), ({"scheduled_at": None}, False)):
        await api.sql("update control.campaigns set misfire = 'Nobody was there.' where id = $1", campaign["id"])
        assert (await api.data("PUT", path, json=change))["misfire"] == ("Nobody was there." if stays else None)
