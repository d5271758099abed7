"""Photos and documents: uploaded once, sent with our random_id, refreshed when stale, and in nobody's way."""

import asyncio
import os
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from relaygram_common.contracts.jobs import SendJob
from relaygram_telegram_gateway.core.sent_lookup import ChatMessage, find_sent
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import Account, World
from tests.sandbox.pictures import png
from tests.support.waiting import eventually

MEBIBYTE = 1024 * 1024
SEND_MEDIA = "messages.sendMedia"


def test_a_message_is_found_by_its_text_and_its_file() -> None:
    chat = [
        ChatMessage(5, True, "Look", 100.0, media_id=12),
        ChatMessage(4, True, "Look", 100.0, media_id=11),
        ChatMessage(3, True, "Look", 100.0),
        ChatMessage(2, False, "Look", 100.0, media_id=11),
    ]
    assert find_sent(chat, "Look", not_before=99, taken=()) == 3
    assert find_sent(chat, "Look", not_before=99, taken=(), media={12}) == 5
    assert find_sent(chat, "Look", not_before=99, taken=(), media={11, 9}) == 4  # also by an id of an earlier upload
    assert find_sent(chat, "Look", not_before=99, taken={4}, media={11}) is None
    assert find_sent(chat, "", not_before=99, taken=(), media={11}) is None
    assert find_sent(chat, "Look", not_before=99, taken=(), media=()) is None  # never uploaded, so never sent


async def _media(world: World, data: bytes, kind: str = "photo", chunk_bytes: int = MEBIBYTE) -> int:
    """As the api stores an upload."""
    mime_type, name = ("image/png", None) if kind == "photo" else ("application/pdf", "offer.pdf")
    media_id = int(
        await world.sql.fetchval(
            "insert into control.media (workspace_id, kind, mime_type, file_name, size_bytes, sha256)"
            " values ($1, $2, $3, $4, $5, $6) returning id",
            world.workspace, kind, mime_type, name, len(data), sha256(data).digest(),
        )
    )  # fmt: skip
    pieces = [data[start : start + chunk_bytes] for start in range(0, len(data), chunk_bytes)]
    await world.sql.executemany(
        "insert into control.media_chunks (media_id, chunk, workspace_id, data) values ($1, $2, $3, $4)",
        [(media_id, number, world.workspace, piece) for number, piece in enumerate(pieces)],
    )
    return media_id


async def _broadcast(
    world: World, account: Account, media_id: int, count: int, body: str = "Look, {{first_name}}"
) -> tuple[int, list[SendJob]]:
    people = await world.people(count)
    campaign = await world.campaign(account, body)
    await world.sql.execute("update control.campaigns set attachments = $2 where id = $1", campaign, [media_id])
    jobs = world.jobs(account, campaign, await world.contacts(campaign, people))
    await world.publish(jobs)
    return campaign, jobs


async def _fault(world: World, account: Account, action: dict[str, Any], **rule: Any) -> None:
    person = account.person["id"]
    body = {"name": f"media-{person}", "account_id": person, "method": SEND_MEDIA, "action": action, **rule}
    await world.sandbox.post("/faults", body)


async def _uploads(world: World, account: Account) -> int:
    return len(await world.wire(account, "messages.uploadMedia"))


@pytest.mark.parametrize("kind", ["photo", "document"])
async def test_a_file_is_uploaded_once_and_goes_to_everybody(world: World, gateway: GatewayProcess, kind: str) -> None:
    data = png() if kind == "photo" else os.urandom(300_000)
    account = await world.account()
    media_id = await _media(world, data, kind, chunk_bytes=100_000)
    campaign, jobs = await _broadcast(world, account, media_id, 20)

    events = await world.settled(jobs)

    accepted = await world.accepted(account)
    assert {event.state for event in events.values()} == {"sent"}
    assert {event.telegram_message_id for event in events.values()} == {one["id"] for one in accepted}
    assert {event.attempt for event in events.values()} == {1}
    assert {event.content_type for event in events.values()} == {"image" if kind == "photo" else "document"}
    assert sorted(one["text"] for one in accepted) == sorted(f"Look, Person{n}" for n in range(20))
    assert {one["media"]["sha256"] for one in accepted} == {sha256(data).hexdigest()}
    assert {one["media"]["kind"] for one in accepted} == {kind}
    assert await _uploads(world, account) == 1
    await world.queue_is_empty(campaign)
    # Another campaign of the account sends the same file: no upload any more.
    _, more = await _broadcast(world, account, media_id, 3, body="")
    await world.settled(more)
    assert await _uploads(world, account) == 1
    assert [one["text"] for one in await world.accepted(account)][-3:] == ["", "", ""]


async def test_a_big_file_goes_in_parts_and_arrives_whole(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    data = os.urandom(11 * MEBIBYTE + 77)
    _, jobs = await _broadcast(world, account, await _media(world, data, "document"), 2)
    await world.settled(jobs, 30)
    assert {one["media"]["sha256"] for one in await world.accepted(account)} == {sha256(data).hexdigest()}
    assert len(await world.wire(account, "upload.saveBigFilePart")) == -(-len(data) // (128 * 1024))


async def test_a_caption_that_is_too_long_for_one_person_fails_for_that_person(
    world: World, gateway: GatewayProcess
) -> None:
    account = await world.account()
    people = await world.people(2)
    campaign = await world.campaign(account, "{{note}}")
    media_id = await _media(world, png())
    await world.sql.execute("update control.campaigns set attachments = $2 where id = $1", campaign, [media_id])
    contacts = await world.contacts(campaign, people)
    for contact, note in zip(contacts, ("🙂" * 512, "🙂" * 512 + "!"), strict=True):
        await world.sql.execute("update control.contacts set columns = $2 where id = $1", contact, {"note": note})
    jobs = world.jobs(account, campaign, contacts)
    await world.publish(jobs)
    events = await world.settled(jobs)
    assert [events[job.job_id].state for job in jobs] == ["sent", "failed"]
    error = events[jobs[1].job_id].error
    assert error is not None
    assert (error.code, "1025" in error.message) == ("INVALID_CONTENT", True)


async def test_an_upload_blocks_no_other_message_of_the_account(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    person = account.person["id"]
    slow = {"name": "slow", "account_id": person, "method": "upload.saveFilePart", "action": {"delay_seconds": 2.0}}
    await world.sandbox.post("/faults", slow)
    media_id = await _media(world, os.urandom(5 * 128 * 1024), "document")
    _, with_file = await _broadcast(world, account, media_id, 60)
    await eventually(lambda: _is_uploading(world, account), 15, what="the upload has begun")
    _, texts = await world.broadcast(account, await world.people(30))
    await world.settled(texts, 8)
    assert not world.final(with_file)
    await world.sandbox.request("DELETE", "/faults/slow")
    events = await world.settled(with_file, 40)
    assert {event.attempt for event in events.values()} == {1}
    assert await _uploads(world, account) == 1


async def test_a_pause_does_not_wait_for_an_upload(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    slow = {"name": "slow", "account_id": account.person["id"], "method": "upload.saveFilePart"}
    await world.sandbox.post("/faults", {**slow, "action": {"delay_seconds": 3.0}})
    campaign, jobs = await _broadcast(world, account, await _media(world, os.urandom(900_000), "document"), 5)
    await eventually(lambda: _is_uploading(world, account), 15, what="the upload has begun")
    await world.move(campaign, "pause")

    async def none_in_the_ledger() -> bool:
        return not await world.sql.fetchval("select count(*) from telegram.sends where campaign_id = $1", campaign)

    await eventually(none_in_the_ledger, 5, what="given back")
    assert await world.jobs_left(campaign) == 5
    await world.sandbox.request("DELETE", "/faults/slow")
    await world.move(campaign, "start")
    events = await world.settled(jobs, 40)
    assert {event.state for event in events.values()} == {"sent"}
    assert len(await world.accepted(account)) == 5


async def _is_uploading(world: World, account: Account) -> bool:
    return bool(await world.wire(account, "upload.saveFilePart"))


@pytest.mark.parametrize("name", ["FILE_REFERENCE_EXPIRED", "FILE_REFERENCE_INVALID", "FILE_REFERENCE_EMPTY"])
async def test_a_stale_reference_is_uploaded_again_once_and_then_fails(
    world: World, gateway: GatewayProcess, name: str
) -> None:
    account = await world.account()
    media_id = await _media(world, png())
    _, first = await _broadcast(world, account, media_id, 1)
    await world.settled(first)
    await _fault(world, account, {"error": name}, times=1)
    _, jobs = await _broadcast(world, account, media_id, 5)
    events = await world.settled(jobs)
    assert {event.state for event in events.values()} == {"sent"}
    assert await _uploads(world, account) == 2
    former = await world.sql.fetchval("select former_ids from telegram.media where media_id = $1", media_id)
    assert len(former) == 1

    await _fault(world, account, {"error": name})
    _, stale = await _broadcast(world, account, media_id, 2)
    errors = [event.error for event in (await world.settled(stale)).values()]
    assert {error.code for error in errors if error} == {"MEDIA_STALE"}
    assert await _uploads(world, account) in (3, 4)  # together or one after the other


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_lost_connection_doubles_no_photo(world: World, gateway: GatewayProcess, when: str) -> None:
    account = await world.account()
    await _fault(world, account, {"drop": when}, after=3, times=2)
    _, jobs = await _broadcast(world, account, await _media(world, png()), 15)
    events = await world.settled(jobs, 30)
    assert {event.state for event in events.values()} == {"sent"}
    accepted = await world.accepted(account)
    assert len(accepted) == 15
    assert {event.telegram_message_id for event in events.values()} == {one["id"] for one in accepted}


async def test_an_upload_that_is_cut_begins_anew(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    cut = {"name": "cut", "account_id": account.person["id"], "method": "upload.saveFilePart"}
    await world.sandbox.post("/faults", {**cut, "action": {"drop": "before"}, "after": 1, "times": 2})
    data = os.urandom(4 * 128 * 1024)
    _, jobs = await _broadcast(world, account, await _media(world, data, "document"), 3)
    events = await world.settled(jobs, 30)
    assert {event.state for event in events.values()} == {"sent"}
    assert {one["media"]["sha256"] for one in await world.accepted(account)} == {sha256(data).hexdigest()}


async def test_a_file_that_telegram_refuses_pauses_the_campaign(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    campaign, jobs = await _broadcast(world, account, await _media(world, b"not a picture"), 3)
    await eventually(lambda: bool(world.final(jobs)), 15, what="the first refusal")
    (first, *_) = world.final(jobs).values()
    assert first.error is not None
    assert first.error.code == "INVALID_CONTENT"

    async def paused() -> bool:
        row = await world.sql.fetchrow("select status, status_reason from control.campaigns where id = $1", campaign)
        return row is not None and (row["status"], row["status_reason"]) == ("paused", "content_error")

    await eventually(paused, 15, what="the campaign is paused")


async def test_a_file_that_is_gone_or_damaged_is_said(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    media_id = await _media(world, png())
    await world.sql.execute("update control.media_chunks set data = 'x' where media_id = $1", media_id)
    for gone in (media_id, 10**9):
        _, jobs = await _broadcast(world, account, gone, 1)
        (event,) = (await world.settled(jobs)).values()
        assert event.error is not None
        assert event.error.code == "MEDIA_GONE"


async def test_a_bot_sends_photos_to_who_wrote_to_it(world: World, gateway: GatewayProcess) -> None:
    bot = await world.account(kind="bot")
    people = await world.people(3)
    for one in people[1:]:
        await world.sandbox.post(f"/users/{one['id']}/messages", {"to_id": bot.person["id"], "text": "/start"})
    campaign = await world.campaign(bot, "Look")
    media_id = await _media(world, png())
    await world.sql.execute("update control.campaigns set attachments = $2 where id = $1", campaign, [media_id])
    jobs = world.jobs(bot, campaign, await world.contacts(campaign, people))
    await world.publish(jobs)
    events = await world.settled(jobs, 30)
    states = [events[job.job_id].state for job in jobs]
    assert states == ["failed", "sent", "sent"]
    assert await _uploads(world, bot) >= 1
    assert len(await world.accepted(bot)) == 2


async def test_a_flood_wait_of_uploads_holds_back_files_only(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()
    body = {"name": "flood", "account_id": account.person["id"], "method": "upload.saveFilePart"}
    await world.sandbox.post("/faults", {**body, "action": {"error": "FLOOD_WAIT_3"}, "times": 1})
    started = asyncio.get_running_loop().time()
    _, with_file = await _broadcast(world, account, await _media(world, png()), 2)
    _, texts = await world.broadcast(account, await world.people(5))
    await world.settled(texts, 10)
    await world.settled(with_file, 20)
    assert asyncio.get_running_loop().time() - started >= 3
    assert await _uploads(world, account) == 1


@pytest.mark.faults
async def test_a_kill_amid_photos_loses_and_doubles_none(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """The next one uploads nothing again, unless what the first one left has gone stale."""
    first = own_gateway()
    await first.start()
    account = await world.account(limits={"messages_per_second": 20})
    media_id = await _media(world, png())
    _, jobs = await _broadcast(world, account, media_id, 60)
    await eventually(lambda: len(world.final(jobs)) > 10, 20, what="some are sent")
    await first.kill()
    second = own_gateway()
    await second.start()
    await world.settled(jobs, 60)
    accepted = await world.accepted(account)
    assert len(accepted) == len({one["to_id"] for one in accepted}) == 60
    assert await _uploads(world, account) == 1
    assert await second.stop() == 0
    await world.sql.execute("update telegram.media set file_reference = 'stale' where media_id = $1", media_id)
    await own_gateway().start()
    _, more = await _broadcast(world, account, media_id, 5)
    events = await world.settled(more, 30)
    assert {event.state for event in events.values()} == {"sent"}
    assert await _uploads(world, account) == 2


async def test_a_forgotten_random_id_doubles_no_photo_and_confuses_no_two(
    world: World, own_gateway: Callable[..., GatewayProcess]
) -> None:
    """Same person, same caption, other pictures, and a Telegram that remembers nothing: the chat tells by the file."""
    account = await world.account()
    pictures = [png(shade=shade) for shade in (10, 200)]
    person = await world.people(1)
    jobs = []
    for picture in pictures:
        campaign = await world.campaign(account, "Look")
        media_id = await _media(world, picture)
        await world.sql.execute("update control.campaigns set attachments = $2 where id = $1", campaign, [media_id])
        jobs += world.jobs(account, campaign, await world.contacts(campaign, person))
    # One is accepted without an answer, the other one does not arrive.
    await _fault(world, account, {"drop": "after"}, times=1)
    rule = {"name": "second", "account_id": account.person["id"], "method": SEND_MEDIA, "times": 1}
    await world.sandbox.post("/faults", {**rule, "action": {"drop": "before"}})
    await world.sandbox.put("/settings", random_id_memory_seconds=0)
    await own_gateway(random_id_trust_seconds=0.001).start()
    await world.publish(jobs)
    events = await world.settled(jobs, 40)
    await world.sandbox.put("/settings", random_id_memory_seconds=5)
    assert {event.state for event in events.values()} == {"sent"}
    accepted = await world.accepted(account)
    by_job = {event.telegram_message_id: event.job_id for event in events.values()}
    found = {by_job[one["id"]]: one["media"]["sha256"] for one in accepted}
    assert found == {job.job_id: sha256(picture).hexdigest() for job, picture in zip(jobs, pictures, strict=True)}
    assert await world.wire(account, "messages.getHistory")
