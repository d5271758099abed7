"""The client over a whole stack: media to Telegram's own record, and an account that comes back."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from relaygram_client import Relaygram
from tests.support.broadcast import Audience, gather_audience
from tests.support.stack import RunningStack
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(180)
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00" + b"x" * 700_000
PDF = b"%PDF-1.7\n" + b"z" * 2_000_000 + b"\n%%EOF"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relaygram(stack: RunningStack) -> AsyncIterator[Relaygram]:
    async with Relaygram(stack.info["api_url"], stack.info["token"]) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def audience(stack: RunningStack) -> Audience:
    return await gather_audience(
        stack, people=3, messages_per_second=30, phone="+4915400000031", handle_stem="collector"
    )


async def recorded(stack: RunningStack, audience: Audience) -> list[dict[str, Any]]:
    parameters = {"from_id": audience.telegram_user_id, "limit": 1000}
    found: list[dict[str, Any]] = (await stack.sandbox.get("/messages", params=parameters)).json()
    return found


async def test_a_sequence_with_a_photo_and_a_document_arrives_byte_for_byte(
    stack: RunningStack, relaygram: Relaygram, audience: Audience
) -> None:
    photo = await relaygram.media.add(PNG, file_name="spring.png")
    document = await relaygram.media.add(PDF, file_name="prices.pdf")
    campaign = await relaygram.campaigns.create(
        name="Spring", mode="broadcast", telegram_account_id=audience.account_id, body="Not sent"
    )
    steps = await relaygram.campaigns.replace_steps(
        campaign.id,
        [
            {"body": "A photo for {{seat}}", "attachments": [photo.id]},
            {"body": "", "attachments": [document.id], "delay_seconds": 1},
        ],
    )
    test = await relaygram.campaigns.test(campaign.id, step=1, handle=next(iter(audience.handles.values())))
    tested = await relaygram.campaigns.wait_for_test(campaign.id, test.job_id)
    assert tested.status == "sent", tested
    begun = await relaygram.contacts.import_csv(campaign.id, audience.contacts_csv().encode())
    await relaygram.imports.wait(begun.id)
    await relaygram.campaigns.start(campaign.id)

    async def completed() -> bool:
        return (await relaygram.campaigns.get(campaign.id)).status == "completed"

    await eventually(completed, 90.0)
    rows = await relaygram.campaigns.logs(campaign.id).all()
    assert sorted((row.sequence_step, row.status) for row in rows) == [(0, "sent")] * 3 + [(1, "sent")] * 3, rows
    arrived = [
        (message["text"], message["media"]["kind"], message["media"]["sha256"])
        for message in await recorded(stack, audience)
    ]
    photos = [(f"A photo for {seat}", "photo", hashlib.sha256(PNG).hexdigest()) for seat in audience.handles]
    files = [("", "document", hashlib.sha256(PDF).hexdigest())] * 4  # one of them the test
    assert sorted(arrived) == sorted([*photos, *files])
    assert len(steps) == 2


async def test_an_account_that_telegram_disabled_is_connected_again_and_its_campaign_goes_on(
    stack: RunningStack, relaygram: Relaygram, audience: Audience
) -> None:
    campaign = await relaygram.campaigns.create(
        name="Back", mode="broadcast", telegram_account_id=audience.account_id, body="Back for {{seat}}"
    )
    begun = await relaygram.contacts.import_csv(campaign.id, audience.contacts_csv().encode())
    await relaygram.imports.wait(begun.id)
    user = f"/users/{audience.telegram_user_id}"
    (await stack.sandbox.patch(user, json={"state": "deactivated"})).raise_for_status()
    await relaygram.campaigns.start(campaign.id)
    await relaygram.accounts.wait(audience.account_id, ("disabled",), timeout_seconds=60)
    paused = await relaygram.campaigns.get(campaign.id)
    assert (paused.status, paused.status_reason) == ("paused", "account_down")
    (await stack.sandbox.patch(user, json={"state": "active"})).raise_for_status()
    session = (await stack.sandbox.post(f"{user}/session")).json()["session_string"]
    again = await relaygram.accounts.connect_again(audience.account_id, session_string=session)
    assert again.id == audience.account_id
    await relaygram.accounts.wait(audience.account_id, ("active",), timeout_seconds=60)

    async def completed() -> bool:
        return (await relaygram.campaigns.get(campaign.id)).status == "completed"

    await eventually(completed, 90.0)
    texts = [one["text"] for one in await recorded(stack, audience) if one["text"].startswith("Back")]
    assert sorted(texts) == sorted(f"Back for {seat}" for seat in audience.handles)
