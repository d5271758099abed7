"""Calls for the logs of channels, and rows for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.api.log_rows import row, write_log
from tests.api.support import Api

NOW = datetime.now(UTC).replace(microsecond=0)


def ago(**time: float) -> datetime:
    """A moment before this module began, in whole milliseconds."""
    return NOW - timedelta(**time)


def of_channel(api: Api, channel: str, state: str = "sent", **fields: Any) -> dict[str, Any]:
    """A row of another channel."""
    return row(-api.workspace_id, state, channel=channel, queued_at=fields.pop("queued_at", ago(minutes=1)), **fields)


async def logs(api: Api, channel: str = "telegram", *, status: int = 200, **parameters: Any) -> Any:
    """The answer."""
    answer = await api.client.get(f"/{channel}/1/logs", params=parameters)
    assert answer.status_code == status, answer.text
    return answer.json()


async def ids(api: Api, channel: str, **parameters: Any) -> list[str]:
    """The ids of the messages, in the answer's order."""
    return [one["messageId"] for one in (await logs(api, channel, **parameters))["results"]]


async def violations(api: Api, channel: str, **parameters: Any) -> dict[str, str]:
    """What a 400 says is wrong, by property."""
    body = await logs(api, channel, status=400, **parameters)
    assert body["errorCode"] == "E400"
    return {one["property"]: one["violation"] for one in body["violations"]}


async def three_messages(api: Api, channel: str) -> list[dict[str, Any]]:
    """Three messages of one channel, newest first."""
    rows = [
        of_channel(
            api, channel, sender="@Acme", destination="@jane", run_id=17, entity_id="e1", application_id="a1",
            reference="summer", queued_at=ago(minutes=1),
        ),
        of_channel(
            api, channel, "discarded", sender="@Acme", destination="77", run_id=17, entity_id="e2",
            application_id="a1", reference="winter", queued_at=ago(minutes=2), error_code="SUPPRESSED",
        ),
        of_channel(api, channel, "queued", sender="44113496000", run_id=18, queued_at=ago(minutes=3)),
    ]  # fmt: skip
    await write_log(api, rows)
    return rows
