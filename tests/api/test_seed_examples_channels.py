"""The seeds' own examples of channel logs: the request as their readers copy it, the answer field by field."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.log_rows import row, write_log
from tests.api.support import Api

# The query of the examples for Messenger and Instagram, as it stands in their cURL lines.
QUERY = (
    "bulkId=BULK-ID-123-xyz&messageId=MESSAGE-ID-123-xyz%2CMESSAGE-ID-124-xyz"
    "&sentSince=2020-02-22T17%3A42%3A05.390%2B01%3A00&sentUntil=2020-02-23T17%3A42%3A05.390%2B01%3A00"
    "&entityId=promotional-traffic-entity&applicationId=marketing-automation-application"
    "&campaignReferenceId=summersale"
)
ANSWER: dict[str, Any] = {
    "sender": "44113496000",
    "destination": "66855538125",
    "bulkId": "1688025180464000013",
    "messageId": "1688025180464000014",
    "sentAt": "2023-02-01T23:15:03.379+0000",
    "doneAt": "2023-02-01T23:16:34.582+0000",
    "messageCount": 1,
    "price": {"pricePerMessage": 0.15, "currency": "EUR"},
    "status": {
        "groupId": 3,
        "groupName": "DELIVERED",
        "id": 5,
        "name": "DELIVERED_TO_HANDSET",
        "description": "Message delivered to handset",
    },
    "error": {
        "groupId": 0,
        "groupName": "OK",
        "id": 0,
        "name": "NO_ERROR",
        "description": "No Error",
        "permanent": False,
    },
    "platform": {"entityId": "promotional-traffic-entity", "applicationId": "marketing-automation-application"},
    "content": {"text": "Sent text", "type": "TEXT"},
}
# Made today, since only 48 hours are kept: the time of day is the example's. The id is a UUID here, texts are our own.
SENT_AT = (datetime.now(UTC) - timedelta(days=1)).replace(hour=23, minute=15, second=3, microsecond=379_000)
DONE_AT = SENT_AT + timedelta(minutes=1, seconds=31, milliseconds=203)


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


@pytest.mark.parametrize("channel", ["messenger", "instagram", "telegram"])
async def test_the_request_of_the_examples(api: Api, channel: str) -> None:
    answer = await api.client.get(
        f"/{channel}/1/logs?{QUERY}", headers={"Authorization": f"App {api.token}", "Accept": "application/json"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"results": []}


@pytest.mark.parametrize("channel", ["messenger", "instagram", "telegram"])
async def test_the_answer_of_the_examples(api: Api, channel: str) -> None:
    campaign: int = (await api.campaign())["id"] if channel == "telegram" else -api.workspace_id
    message = row(
        campaign, "sent", channel=channel, sender="44113496000", destination="66855538125",
        run_id=1688025180464000013, queued_at=SENT_AT, sent_at=DONE_AT, body="Sent text",
        price=json.dumps({"pricePerMessage": 0.15, "currency": "EUR"}), reference="summersale",
        entity_id="promotional-traffic-entity", application_id="marketing-automation-application",
    )  # fmt: skip
    await write_log(api, [message, row(campaign, "sent", channel=channel)])
    query = {
        "bulkId": "1688025180464000013",
        "messageId": f"{message['job_id']},MESSAGE-ID-124-xyz",
        "sentSince": (SENT_AT - timedelta(milliseconds=1)).isoformat(timespec="milliseconds"),
        "sentUntil": (SENT_AT + timedelta(milliseconds=1)).isoformat(timespec="milliseconds"),
        "entityId": "promotional-traffic-entity",
        "applicationId": "marketing-automation-application",
        "campaignReferenceId": "summersale",
    }
    answer = await api.client.get(f"/{channel}/1/logs", params=query)
    (shown,) = answer.json()["results"]
    assert answer.json() == {"results": [shown]}
    assert list(shown) == list(ANSWER)
    expected = ANSWER | {"messageId": str(message["job_id"]), "sentAt": written(SENT_AT), "doneAt": written(DONE_AT)}
    for part in ("status", "error"):
        assert list(shown[part]) == list(ANSWER[part])
        expected[part] = ANSWER[part] | {"description": shown[part]["description"]}
    assert shown == expected
