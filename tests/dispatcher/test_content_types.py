"""What a message is, by what goes with its text: said by each event of the dispatcher's."""

from hashlib import sha256
from typing import Any

from tests.dispatcher.line import Outside, gateway
from tests.support.waiting import eventually


async def _media(line: Outside, kind: str) -> int:
    """A file, as the api stores it; its bytes do not matter here."""
    media_id: int = await line.pool.fetchval(
        "insert into control.media (workspace_id, kind, mime_type, size_bytes, sha256)"
        " values ($1, $2, 'image/png', 3, $3) returning id",
        line.workspace_id,
        kind,
        sha256(kind.encode()).digest(),
    )
    return media_id


async def test_a_broadcast_with_a_photo_is_of_images_also_when_it_is_stopped(line: Outside) -> None:
    campaign_id = await line.campaign(3, attachments=[await _media(line, "photo")])
    await line.expanded(campaign_id, 3)

    async def logged() -> bool:
        return {row["content_type"] for row in await line.rows(campaign_id)} == {"image"}

    await eventually(logged)
    await line.transition(campaign_id, "stop")

    async def discarded() -> bool:
        return {row["state"] for row in await line.rows(campaign_id)} == {"discarded"}

    await eventually(discarded)
    assert await logged()


async def test_each_step_is_what_it_carries_and_a_follow_up_is_text(line: Outside) -> None:
    steps: list[dict[str, Any]] = [
        {"body": "Text"},
        {"body": "File"},
        {"body": "Photo", "followups": [{"after_hours": 0, "body": "And?"}]},
    ]
    campaign_id = await line.campaign(1, steps=steps, start=False, attachments=[await _media(line, "photo")])
    for position, kind in ((1, "document"), (2, "photo")):
        await line.pool.execute(
            "update control.steps set attachments = $3 where campaign_id = $1 and position = $2",
            campaign_id, position, [await _media(line, kind)],
        )  # fmt: skip
    await line.transition(campaign_id, "start")
    async with gateway(line, campaign_id, refuse_every=0):
        await line.completes(campaign_id, 4)
    rows = {row["body"]: row["content_type"] for row in await line.rows(campaign_id)}
    assert rows == {"Text": "text", "File": "document", "Photo": "image", "And?": "text"}


async def test_a_file_that_is_gone_makes_nothing_up(line: Outside) -> None:
    campaign_id = await line.campaign(1, attachments=[999_999])
    await line.expanded(campaign_id, 1)
    (row,) = await eventually(lambda: line.rows(campaign_id))
    assert row["content_type"] is None
