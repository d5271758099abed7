"""Each noun of the client, against the real api."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relaygram_client import (
    ConflictError,
    InvalidError,
    NotFoundError,
    PreconditionFailedError,
    Relaygram,
    RelaygramError,
    UnauthenticatedError,
)
from tests.api.support import Api


async def draft(relaygram: Relaygram, api: Api, name: str = "Launch") -> int:
    campaign = await relaygram.campaigns.create(
        name=name, mode="broadcast", telegram_account_id=await api.account(), body="Hello {{first_name|there}}"
    )
    return campaign.id


async def test_logging_in_and_out(api: Api) -> None:
    async with Relaygram("http://api", http_transport=api.transport) as relaygram:
        with pytest.raises(UnauthenticatedError, match="Unauthenticated"):
            await relaygram.session.me()
        with pytest.raises(UnauthenticatedError) as wrong:
            await relaygram.session.login(api.email, "wrong", device_name="test")
        assert wrong.value.code == "invalid_credentials"
        logged_in = await relaygram.session.login(
            api.email, api.password, device_name="test", abilities=["campaigns:read"]
        )
        assert logged_in.user.email == api.email
        me = await relaygram.session.me()
        assert (me.token.name, me.token.abilities) == ("test", ["campaigns:read"])
        await relaygram.session.logout()
    async with Relaygram("http://api", logged_in.token, http_transport=api.transport) as relaygram:
        with pytest.raises(UnauthenticatedError):
            await relaygram.session.me()


async def test_tokens(relaygram: Relaygram) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    made = await relaygram.tokens.create("reader", abilities=["logs:read"], expires_at=soon)
    assert made.token.startswith(f"{made.id}|")
    found = {token.id: token for token in await relaygram.tokens.list().all()}
    assert found[made.id].expires_at is not None
    await relaygram.tokens.revoke(made.id)
    assert made.id not in {token.id async for token in relaygram.tokens.list()}


async def test_an_account_and_its_limits(relaygram: Relaygram, api: Api) -> None:
    account = await relaygram.accounts.connect_phone("+4915190000001", name="Sales")
    assert (account.status, account.name) == ("new", "Sales")
    await api.account_becomes(account.id, "active")
    assert (await relaygram.accounts.wait(account.id, timeout_seconds=5)).status == "active"
    changed = await relaygram.accounts.update(account.id, limits={"messages_per_hour": 7})
    assert changed.limits.messages_per_hour == 7
    assert changed.limits.resolves_per_minute == account.limits.resolves_per_minute
    with pytest.raises(ConflictError, match="active"):
        await relaygram.accounts.enter_code(account.id, "12345")
    await relaygram.accounts.delete(account.id)
    with pytest.raises(NotFoundError):
        await relaygram.accounts.get(account.id)


async def test_a_campaigns_life(relaygram: Relaygram, api: Api, tmp_path: Path) -> None:
    campaign_id = await draft(relaygram, api)
    changed = await relaygram.campaigns.update(
        campaign_id, name="Spring", quiet_hours={"start": "21:00", "end": "08:00"}, time_zone="Europe/Berlin"
    )
    assert (changed.name, changed.quiet_hours and changed.quiet_hours.end) == ("Spring", "08:00")
    with pytest.raises(InvalidError) as empty:
        await relaygram.campaigns.start(campaign_id)
    assert empty.value.code == "no_contacts"
    file = tmp_path / "people.csv"
    file.write_text("handle,first_name\n" + "".join(f"someone_{n},N{n}\n" for n in range(50)) + "!,Bad\n")
    handed_over: list[int] = []
    begun = await relaygram.contacts.import_csv(campaign_id, file, on_progress=handed_over.append)
    done = await relaygram.imports.wait(begun.id, timeout_seconds=30)
    assert (done.received, done.accepted, done.rejected) == (51, 50, 1)
    assert handed_over == [file.stat().st_size]
    (bad,) = await relaygram.imports.errors(begun.id).all()
    assert (bad.line, bad.column, bad.value) == (52, "handle", "!")
    async with relaygram.imports.errors_csv(begun.id) as pieces:
        text = b"".join([piece async for piece in pieces])
    assert text.startswith(b"line,column,value,reason\r\n52,handle,!,")
    assert (await relaygram.campaigns.start(campaign_id)).status == "running"
    assert (await relaygram.campaigns.pause(campaign_id)).status_reason == "user"
    assert (await relaygram.campaigns.stop(campaign_id)).status == "stopped"
    with pytest.raises(ConflictError, match="stopped"):
        await relaygram.campaigns.start(campaign_id)
    await relaygram.campaigns.delete(campaign_id)
    with pytest.raises(NotFoundError):
        await relaygram.campaigns.get(campaign_id)


async def test_people_come_from_memory_and_in_pieces(relaygram: Relaygram, api: Api) -> None:
    campaign_id = await draft(relaygram, api)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"handle\nin_pie"
        yield b"ces\n"

    for begun in (
        await relaygram.contacts.import_csv(campaign_id, b"handle\nof_memory\n"),
        await relaygram.contacts.import_csv(campaign_id, pieces()),
        await relaygram.contacts.add(campaign_id, [{"handle": "@as_json", "first_name": "Jane"}]),
    ):
        assert (await relaygram.imports.wait(begun.id, timeout_seconds=30)).accepted == 1
    handles = [sender.handle async for sender in relaygram.contacts.list(campaign_id)]
    assert handles == ["@of_memory", "@in_pieces", "@as_json"]
    assert [one.first_name async for one in relaygram.contacts.list(campaign_id, q="jane")] == ["Jane"]
    with pytest.raises(FileNotFoundError):
        await relaygram.contacts.import_csv(campaign_id, "no/such/file.csv")


async def test_a_listing_goes_over_all_pages_and_can_be_had_page_by_page(relaygram: Relaygram, api: Api) -> None:
    campaign_id = await draft(relaygram, api)
    people = "".join(f"many_{number:03d}\n" for number in range(230))
    await relaygram.imports.wait((await relaygram.contacts.import_csv(campaign_id, f"handle\n{people}".encode())).id)
    listing = relaygram.contacts.list(campaign_id)
    everybody = [sender.id async for sender in listing]
    assert (len(everybody), everybody) == (230, sorted(set(everybody)))
    assert await listing.total() == 230
    third = await listing.page(3)
    assert [sender.id for sender in third.things] == everybody[200:]


async def test_errors_say_what_is_wrong_and_how_to_find_it(relaygram: Relaygram) -> None:
    with pytest.raises(InvalidError) as wrong:
        await relaygram.campaigns.create(name="", mode="auto_reply", telegram_account_id=999_999, body="x")
    error = wrong.value
    assert set(error.fields) >= {"name"}
    assert (error.status, error.code) == (422, "validation_failed")
    assert len(error.request_id) >= 8
    assert isinstance(error, RelaygramError)
    assert str(error) == error.message


async def test_a_change_on_a_condition_is_refused_when_somebody_was_faster(relaygram: Relaygram, api: Api) -> None:
    campaign_id = await draft(relaygram, api)
    read, etag = await relaygram.campaigns.get_with_etag(campaign_id)
    await relaygram.campaigns.update(campaign_id, name="Somebody else's", if_match=etag)
    with pytest.raises(PreconditionFailedError):
        await relaygram.campaigns.update(campaign_id, name="Ours", if_match=etag)
    with pytest.raises(PreconditionFailedError):
        await relaygram.campaigns.stop(campaign_id, if_match=etag)
    assert read.id == campaign_id


async def test_a_preview_and_a_test_send(relaygram: Relaygram, api: Api) -> None:
    campaign_id = await draft(relaygram, api)
    preview = await relaygram.campaigns.preview(campaign_id, contact={"first_name": "Jane"})
    assert (preview.text, preview.contact.first_name) == ("Hello Jane", "Jane")
    assert (await relaygram.campaigns.preview(campaign_id, body="Hi")).text == "Hi"
    test = await relaygram.campaigns.test(campaign_id, handle="@jane_doe", first_name="Jane")
    assert (test.campaign_id, test.destination) == (campaign_id, "@jane_doe")
    assert (await relaygram.campaigns.get_test(campaign_id, test.job_id)).job_id == test.job_id
    with pytest.raises(TimeoutError):  # no gateway runs here
        await relaygram.campaigns.wait_for_test(campaign_id, test.job_id, timeout_seconds=0.1)
    assert (await relaygram.campaigns.stats(campaign_id)).counts.total_contacts == 0


async def test_people_who_must_not_be_written_to_and_people_who_are_forgotten(
    relaygram: Relaygram, api: Api, tmp_path: Path
) -> None:
    campaign_id = await draft(relaygram, api)
    begun = await relaygram.contacts.add(campaign_id, [{"handle": "forget_me"}, {"handle": "take_me_out"}])
    await relaygram.imports.wait(begun.id, timeout_seconds=30)
    senders = {sender.handle: sender.id async for sender in relaygram.contacts.list(campaign_id)}
    await relaygram.contacts.remove(campaign_id, senders["@take_me_out"])
    assert await relaygram.contacts.list(campaign_id).total() == 1
    assert (await relaygram.people.erase(handle="forget_me")).contacts == 1
    assert (await relaygram.suppressions.add(handle="@never_again", reason="asked")).added == 1
    file = tmp_path / "no.csv"
    file.write_text("handle,reason\nnever_again,x\nnot_me,y\n!,z\n")
    listed = await relaygram.suppressions.add_csv(file)
    assert (listed.added, listed.already_listed, listed.rejected) == (1, 1, 1)
    assert (await relaygram.suppressions.add_many([{"telegram_user_id": 4711}])).added == 1
    (found,) = await relaygram.suppressions.list(q="never_again").all()
    assert (found.handle, found.reason) == ("@never_again", "asked")
    await relaygram.suppressions.delete(found.id)
    assert await relaygram.suppressions.list(q="never_again").all() == []


async def test_the_audit_log(relaygram: Relaygram, api: Api) -> None:
    campaign_id = await draft(relaygram, api, name="Watched")
    await relaygram.campaigns.update(campaign_id, name="Seen")
    (newest, oldest) = await relaygram.audit.list(kind="campaign", thing_id=campaign_id).all()
    assert (oldest.action, newest.before, newest.after) == ("created", {"name": "Watched"}, {"name": "Seen"})


async def test_a_sequence_with_a_photo(relaygram: Relaygram, api: Api, tmp_path: Path) -> None:
    campaign_id = await draft(relaygram, api)
    file = tmp_path / 'spring "1".png'
    file.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"x" * 700_000)
    handed_over: list[int] = []
    photo = await relaygram.media.add(file, on_progress=handed_over.append)
    assert (photo.kind, photo.mime_type, photo.size_bytes) == ("photo", "image/png", file.stat().st_size)
    assert handed_over[-1] == photo.size_bytes
    assert await relaygram.media.get(photo.id) == photo
    text = await relaygram.media.add(b"just text", file_name="note.txt")
    assert (text.kind, text.file_name) == ("document", "note.txt")
    with pytest.raises(InvalidError, match="not public"):
        await relaygram.media.add_by_url("http://127.0.0.1/x.png")
    with pytest.raises(FileNotFoundError):
        await relaygram.media.add("no/such/file.png")
    saved = await relaygram.campaigns.replace_steps(
        campaign_id,
        [
            {"body": "One", "attachments": [photo.id], "followups": [{"after_hours": 0.5, "body": "Well?"}]},
            {"body": "Two {{first_name}}", "delay_seconds": 3600},
        ],
    )
    assert [(step.position, step.delay_seconds, step.attachments) for step in saved] == [
        (0, 0, [photo.id]),
        (1, 3600, []),
    ]
    assert await relaygram.campaigns.steps(campaign_id) == saved
    assert await relaygram.campaigns.replace_steps(campaign_id, saved) == saved
    _, etag = await relaygram.campaigns.get_with_etag(campaign_id)
    assert len(await relaygram.campaigns.replace_steps(campaign_id, saved[:1], if_match=etag)) == 1
    with pytest.raises(PreconditionFailedError):
        await relaygram.campaigns.replace_steps(campaign_id, [], if_match=etag)
    preview = await relaygram.campaigns.preview(campaign_id, step=0, contact={"first_name": "Jane"})
    assert (preview.text, preview.limit, preview.attachments) == ("One", 1024, [photo.id])
    test = await relaygram.campaigns.test(campaign_id, step=0, handle="@jane_doe")
    assert test.body == "One"


async def test_a_disabled_account_is_connected_again(relaygram: Relaygram, api: Api) -> None:
    account_id = await api.account()
    with pytest.raises(ConflictError, match="active"):
        await relaygram.accounts.connect_again(account_id, phone="+4915190000002")
    await api.account_becomes(account_id, "disabled")
    account = await relaygram.accounts.connect_again(account_id, phone="+4915190000002")
    assert (account.id, account.status) == (account_id, "new")
