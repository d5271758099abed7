"""The logs of channels: rows and filters, as users of messaging providers know them."""

import json
from typing import Any

import pytest

from relaygram_api.channel_log_view import content_type
from relaygram_common import identity
from tests.api.channel_calls import ago, ids, logs, of_channel, three_messages
from tests.api.log_rows import row, write_log
from tests.api.support import Api

ROW_KEYS = [
    "sender", "destination", "bulkId", "messageId", "sentAt", "doneAt", "messageCount", "price", "status", "error",
    "platform", "content",
]  # fmt: skip


async def test_a_row_has_every_key(api: Api) -> None:
    price = {"pricePerMessage": 0.15, "currency": "USD"}
    sent = of_channel(
        api, "whole", sender="Acme", destination="+4915100000000", run_id=17,
        queued_at=ago(minutes=5, milliseconds=-379), sent_at=ago(minutes=4), body="Sent text",
        entity_id="e-1", application_id="a-1", reference="summer", price=json.dumps(price),
        content_type="photo",
    )  # fmt: skip
    await write_log(api, [sent])
    (shown,) = (await logs(api, "whole"))["results"]
    assert list(shown) == ROW_KEYS
    assert shown == {
        "sender": "Acme",
        "destination": "+4915100000000",
        "bulkId": "17",
        "messageId": str(sent["job_id"]),
        "sentAt": sent["queued_at"].strftime("%Y-%m-%dT%H:%M:%S.379+0000"),
        "doneAt": sent["sent_at"].strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "messageCount": 1,
        "price": price,
        "status": {
            "groupId": 3,
            "groupName": "DELIVERED",
            "id": 5,
            "name": "DELIVERED_TO_HANDSET",
            "description": "It has arrived at the recipient.",
        },
        "error": {
            "groupId": 0,
            "groupName": "OK",
            "id": 0,
            "name": "NO_ERROR",
            "description": "No error.",
            "permanent": False,
        },
        "platform": {"entityId": "e-1", "applicationId": "a-1"},
        "content": {"text": "Sent text", "type": "IMAGE"},
    }


async def test_what_is_not_known_is_null_and_costs_nothing(api: Api) -> None:
    await write_log(api, [of_channel(api, "bare", "queued", content_type=None)])
    (shown,) = (await logs(api, "bare"))["results"]
    assert list(shown) == ROW_KEYS
    assert [shown[key] for key in ("sender", "destination", "bulkId", "doneAt")] == [None] * 4
    assert shown["price"] == {"pricePerMessage": 0, "currency": "EUR"}
    assert shown["platform"] == {"entityId": None, "applicationId": None}
    assert shown["content"] == {"text": None, "type": "TEXT"}


async def test_prices_that_are_none_are_not_shown(api: Api) -> None:
    prices: list[Any] = [{"pricePerMessage": "1", "currency": 3}, {"pricePerMessage": True}, {"currency": "USD"}]
    await write_log(api, [of_channel(api, "odd", price=json.dumps(price)) for price in prices])
    shown = [(one["price"]["pricePerMessage"], one["price"]["currency"]) for one in (await logs(api, "odd"))["results"]]
    assert sorted(shown) == [(0, "EUR"), (0, "EUR"), (0, "USD")]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("text", "TEXT"),
        ("image", "IMAGE"),
        ("photo", "IMAGE"),
        ("document", "FILE"),
        ("video", "VIDEO"),
        (None, "TEXT"),
    ],
)
def test_kinds_of_content(kind: str | None, shown: str) -> None:
    assert content_type(kind) == shown


@pytest.mark.parametrize("state", ["discarded", "expired", "failed"])
async def test_what_failed_is_done_when_it_ended(api: Api, state: str) -> None:
    await write_log(api, [of_channel(api, f"done-{state}", state, sent_at=None, ended_at=ago(seconds=7))])
    (shown,) = (await logs(api, f"done-{state}"))["results"]
    assert shown["doneAt"] == ago(seconds=7).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


async def test_campaigns_tests_and_other_channels_stay_apart(api: Api) -> None:
    campaign: int = (await api.campaign())["id"]
    mine = [row(campaign, "sent"), row(0, "sent", trigger="test"), of_channel(api, "sms"), of_channel(api, "whatsapp")]
    await write_log(api, mine)
    telegram = await ids(api, "telegram", limit=1000)
    assert {str(mine[0]["job_id"]), str(mine[1]["job_id"])} <= set(telegram)
    assert await ids(api, "sms") == [str(mine[2]["job_id"])]
    assert await ids(api, "whatsapp") == [str(mine[3]["job_id"])]
    assert await ids(api, "nobody-has-heard_of2") == []


async def test_nothing_of_another_workspace_is_seen(api: Api) -> None:
    await write_log(api, [of_channel(api, "ours")])
    await identity.bootstrap(api.database.dsn, workspace="second", email="other@example.com")
    token = await identity.create_token(api.database.dsn, "other@example.com", "t", ["*"])
    (message,) = await ids(api, "ours")
    async with api.bearing(token) as client:
        for address in ("/ours/1/logs", f"/ours/1/logs?messageId={message}"):
            assert (await client.get(address)).json() == {"results": []}


FILTERED: dict[str, list[tuple[dict[str, Any], list[int]]]] = {
    # Parameters, and which of the three messages they let through.
    "sender": [({"sender": "@Acme"}, [0, 1]), ({"sender": "Acme"}, [0, 1]), ({"sender": "44113496000"}, [2])],
    "destination": [({"destination": "@jane"}, [0]), ({"destination": "jane"}, [0]), ({"destination": "77"}, [1])],
    "bulkId": [
        ({"bulkId": "17"}, [0, 1]),
        ({"bulkId": "17,18"}, [0, 1, 2]),
        ({"bulkId": ["17", "18"]}, [0, 1, 2]),
        ({"bulkId": "BULK-ID-123-xyz"}, []),
        ({"bulkId": "99999999999999999999"}, []),
        ({"bulkId": " 18 ,,BULK-ID-123-xyz"}, [2]),
    ],
    "generalStatus": [
        ({"generalStatus": "DELIVERED"}, [0]),
        ({"generalStatus": "REJECTED"}, [1]),
        ({"generalStatus": "PENDING"}, [2]),
        ({"generalStatus": "ACCEPTED"}, []),
    ],
    "entityId": [({"entityId": "e1"}, [0]), ({"entityId": "e1,e2"}, [])],
    "applicationId": [({"applicationId": "a1"}, [0, 1])],
    "campaignReferenceId": [
        ({"campaignReferenceId": "summer"}, [0]),
        ({"campaignReferenceId": "summer,winter"}, [0, 1]),
        ({"campaignReferenceId": ["summer,spring", "winter"]}, [0, 1]),
    ],
    "together": [({"sender": "Acme", "applicationId": "a1", "generalStatus": "REJECTED"}, [1])],
}


@pytest.fixture(scope="module")
async def three(api: Api) -> list[dict[str, Any]]:
    return await three_messages(api, "filtered")


@pytest.mark.parametrize(
    ("parameters", "expected"), [case for cases in FILTERED.values() for case in cases], ids=lambda value: str(value)
)
async def test_filters(api: Api, three: list[dict[str, Any]], parameters: dict[str, Any], expected: list[int]) -> None:
    assert await ids(api, "filtered", **parameters) == [str(three[number]["job_id"]) for number in expected]


async def test_a_phone_of_another_channel_whose_plus_nobody_escaped(api: Api) -> None:
    message = of_channel(api, "phones", destination="+4915112345678")
    await write_log(api, [message, of_channel(api, "phones", destination="4915112345678")])
    for query in ("destination=+4915112345678", "destination=%2B4915112345678"):
        answer = await api.client.get(f"/phones/1/logs?{query}")
        assert [one["messageId"] for one in answer.json()["results"]] == [str(message["job_id"])]


async def test_messages_by_their_ids(api: Api, three: list[dict[str, Any]]) -> None:
    first, second, third = (str(one["job_id"]) for one in three)
    assert await ids(api, "filtered", messageId=f"{third},{first}") == [first, third]
    assert await ids(api, "filtered", messageId=[first.upper(), second], generalStatus="REJECTED") == [second]
    assert await ids(api, "filtered", messageId="MESSAGE-ID-123-xyz") == []
    assert await ids(api, "filtered", messageId=first, sentUntil=three[0]["queued_at"].isoformat()) == []
    assert await ids(api, "telegram", messageId=first) == []  # it went by another channel
    page = await logs(api, "filtered", messageId=f"{first},{second},{third}", limit=2, useCursor="true")
    assert [one["messageId"] for one in page["results"]] == [first, second]
    rest = {"messageId": f"{first},{second},{third}", "cursor": page["cursor"]["nextCursor"]}
    assert await ids(api, "filtered", **rest) == [third]


async def test_telegram_messages_by_their_ids(api: Api) -> None:
    campaign: int = (await api.campaign())["id"]
    rows = [row(campaign, "sent"), row(0, "sent", trigger="test")]
    await write_log(api, rows)
    asked = ",".join(str(one["job_id"]) for one in rows)
    assert set(await ids(api, "telegram", messageId=asked)) == {str(one["job_id"]) for one in rows}
