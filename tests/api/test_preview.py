"""Previews: a campaign's text for one person, by the rule that sends it."""

from typing import Any

import pytest

from tests.api.support import Api

TEMPLATE = "Hello {{first_name|there}}, greetings from {{city}} to {{handle}}! {{ city }}"


async def with_contacts(api: Api) -> str:
    campaign = await api.campaign(body=TEMPLATE)
    await api.import_csv(
        campaign["id"], "handle,phone,first_name,last_name,city\nann_a,,Ann,A,Oslo\n,+4915155555555,,,\nbob_b,,Bob,,\n"
    )
    return f"/campaigns/{campaign['id']}"


async def test_without_a_person_it_is_the_first_contact(api: Api) -> None:
    path = await with_contacts(api)
    first = (await api.data("GET", f"{path}/senders"))[0]
    expected = {
        "text": "Hello Ann, greetings from Oslo to @ann_a! Oslo",
        "characters": 46,
        "limit": 4096,
        "tokens_without_value": [],
        "problem": None,
        "sender_id": first["id"],
        "contact": {"first_name": "Ann", "last_name": "A", "handle": "@ann_a"},
        "step": 0,
        "follow_up": None,
        "attachments": [],
    }
    assert await api.call("POST", f"{path}/preview") == {"data": expected, "meta": {}}
    assert await api.data("POST", f"{path}/preview", json={}) == expected
    assert await api.data("POST", f"{path}/preview", json={"sender_id": None, "contact": None}) == expected


async def test_for_a_contact_of_the_campaign(api: Api) -> None:
    path = await with_contacts(api)
    rows = await api.data("GET", f"{path}/senders")
    shown = await api.data("POST", f"{path}/preview", json={"sender_id": rows[1]["id"]})
    assert shown["text"] == "Hello there, greetings from  to ! "
    assert shown["tokens_without_value"] == ["first_name", "city", "handle"]
    assert shown["sender_id"] == rows[1]["id"]
    assert shown["contact"] == {"first_name": None, "last_name": None, "handle": None}


async def test_for_a_person_who_is_given(api: Api) -> None:
    path = await with_contacts(api)
    given = {"first_name": " Zoë ", "handle": "https://t.me/Zoe_Z", "city": 7, "phone": "+4915155555555", "tags": "x"}
    shown = await api.data("POST", f"{path}/preview", json={"contact": given, "body": "{{city}} {{phone}} {{handle}}"})
    assert (shown["text"], shown["sender_id"]) == ("7  @zoe_z", None)
    assert shown["tokens_without_value"] == ["phone"]  # an address is no column: nobody's phone gets into a text
    assert shown["contact"] == {"first_name": "Zoë", "last_name": None, "handle": "@zoe_z"}


async def test_without_contacts_it_is_a_made_up_person_who_is_named(api: Api) -> None:
    campaign = await api.campaign(body=TEMPLATE)
    shown = await api.data("POST", f"/campaigns/{campaign['id']}/preview")
    assert shown["contact"] == {"first_name": "Jane", "last_name": "Doe", "handle": "@jane_doe"}
    assert shown["text"].startswith("Hello Jane, ")
    assert (shown["sender_id"], shown["tokens_without_value"]) == (None, ["city"])


async def test_a_text_that_is_not_saved_can_be_tried(api: Api) -> None:
    path = await with_contacts(api)
    before = await api.call("GET", path)
    shown = await api.data("POST", f"{path}/preview", json={"body": "Other, {{first_name}}"})
    assert shown["text"] == "Other, Ann"
    assert await api.call("GET", path) == before


async def test_characters_count_as_telegram_counts_and_problems_are_told(api: Api) -> None:
    path = await with_contacts(api)
    long = {"contact": {"x": "\U0001f600" * 2000}, "body": "{{x}}{{first_name}}" + "y" * 97}
    shown = await api.data("POST", f"{path}/preview", json=long)
    assert (shown["characters"], shown["limit"]) == (4097, 4096)
    assert "4097" in shown["problem"]
    empty = await api.data("POST", f"{path}/preview", json={"contact": {}, "body": "{{first_name}}"})
    assert (empty["text"], empty["problem"]) == ("", "The text is empty for this person.")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"sender_id": 999999}, ["sender_id"]), ({"sender_id": 0}, ["sender_id"]), ({"sender_id": "1"}, ["sender_id"]),
        ({"sender_id": 1, "contact": {}}, ["contact"]), ({"body": "{{"}, ["body"]), ({"body": " "}, ["body"]),
        ({"body": "x" * 4097}, ["body"]), ({"contact": []}, ["contact"]), ({"text": "x"}, ["text"]),
        ({"contact": {"handle": "a b"}}, ["contact.handle"]), ({"contact": {"city": ["x"]}}, ["contact.city"]),
        ({"contact": {"first_name": True}}, ["contact.first_name"]), ({"contact": {"a": "x" * 4097}}, ["contact.a"]),
        ({"contact": {"a": "\0"}}, ["contact.a"]), ([], ["body"]),
    ],
)  # fmt: skip
async def test_what_can_not_be_rendered_is_422_by_field(api: Api, body: Any, wrong: list[str]) -> None:
    path = await with_contacts(api)
    assert list(await api.errors("POST", f"{path}/preview", json=body)) == wrong


async def test_another_campaigns_contact_is_none_of_this_one(api: Api) -> None:
    path, other = await with_contacts(api), await with_contacts(api)
    theirs = (await api.data("GET", f"{other}/senders"))[0]["id"]
    assert list(await api.errors("POST", f"{path}/preview", json={"sender_id": theirs})) == ["sender_id"]


async def test_preview_of_what_is_not_there_is_404_before_its_fields(api: Api) -> None:
    await api.call("POST", "/campaigns/999999/preview", status=404, json={"x": 1})
    path = await with_contacts(api)
    await api.call("DELETE", path, status=204)
    await api.call("POST", f"{path}/preview", status=404)


async def test_a_body_that_is_there_must_be_json(api: Api) -> None:
    path = await with_contacts(api)
    await api.call("POST", f"{path}/preview", status=415, content=b"x", headers={"Content-Type": "text/plain"})
    wrong = await api.errors(
        "POST", f"{path}/preview", content=b"{", headers={"Content-Type": "application/json"}
    )  # not JSON
    assert wrong == {"body": ["is not JSON"]}
