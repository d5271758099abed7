"""Sending: what is accepted, what is refused and by which name, and what the other side sees."""

import asyncio
from typing import Any

import pytest
from telethon import errors, events, functions, types

from tests.sandbox.support import SandboxProcess


def _send(client: Any, peer: Any, text: str, random_id: int | None = None) -> Any:
    return client(functions.messages.SendMessageRequest(peer, text, random_id=random_id))


async def _peer_of(client: Any, person: dict[str, Any]) -> Any:
    return await client.get_input_entity(person["username"])


async def test_a_sent_message_is_in_the_record_and_in_both_histories(sandbox: SandboxProcess) -> None:
    person = await sandbox.person(username="reader")
    async with sandbox.account() as client:
        sent = await _send(client, await _peer_of(client, person), "hello there", random_id=-5)
        (row,) = await sandbox.get("/messages")
        date = row.pop("date")
        assert date.endswith("Z")
        assert row == {
            "seq": 1,
            "id": sent.id,
            "from_id": client.profile["id"],
            "to_id": person["id"],
            "random_id": -5,
            "text": "hello there",
            "media": None,
            "reply_to": None,
            "direction": "outbound",
        }
        assert [message.text for message in await client.get_messages("reader")] == ["hello there"]
    async with sandbox.connected(await sandbox.session_of(person)) as reader:
        (dialog,) = await reader.get_dialogs()
        assert (dialog.message.text, dialog.message.out, dialog.unread_count) == ("hello there", False, 1)


async def test_a_message_of_another_client_arrives_as_an_update(sandbox: SandboxProcess) -> None:
    async with sandbox.account(username="one") as one, sandbox.account(username="two") as two:
        received: asyncio.Queue[Any] = asyncio.Queue()
        two.add_event_handler(received.put, events.NewMessage(incoming=True))
        await one.send_message("two", "**bold** news")
        event = await asyncio.wait_for(received.get(), 5)
        assert event.text == "**bold** news"
        await event.reply("thanks")
        assert [message.reply_to_msg_id for message in await one.get_messages("two", limit=1)] == [1]
    assert [row["reply_to"] for row in await sandbox.get("/messages")] == [None, 1]


async def test_hundreds_of_messages_at_once_keep_their_order(sandbox: SandboxProcess) -> None:
    person = await sandbox.person(username="reader")
    async with sandbox.account() as client:
        peer = await _peer_of(client, person)
        await asyncio.gather(*(_send(client, peer, f"message {number}") for number in range(300)))
    rows = await sandbox.get("/messages", limit=1000)
    assert [row["text"] for row in rows] == [f"message {number}" for number in range(300)]
    assert [row["id"] for row in rows] == list(range(1, 301))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"state": "deactivated"}, errors.InputUserDeactivatedError),
        ({"state": "blocked"}, errors.UserIsBlockedError),
        ({"privacy": "contacts"}, errors.UserPrivacyRestrictedError),
    ],
    ids=["deactivated", "blocked", "private"],
)
async def test_people_who_cannot_be_written_to(
    sandbox: SandboxProcess, fields: dict[str, str], error: type[Exception]
) -> None:
    person = await sandbox.person(username="somebody", **fields)
    async with sandbox.account() as client:
        with pytest.raises(error):
            await _send(client, await _peer_of(client, person), "hello")
    assert await sandbox.get("/messages") == []
    assert sum((await sandbox.get("/stats"))["refused"].values()) == 1


async def test_a_private_person_can_be_answered(sandbox: SandboxProcess) -> None:
    person = await sandbox.person(username="private", privacy="contacts")
    async with sandbox.account() as client:
        await sandbox.post(f"/users/{person['id']}/messages", {"to_id": client.profile["id"], "text": "hello"})
        await _send(client, await _peer_of(client, person), "hello yourself")


async def test_a_private_person_can_be_written_to_by_whom_it_imported(sandbox: SandboxProcess) -> None:
    person = await sandbox.person(username="private", privacy="contacts")
    async with sandbox.account(phone="+15550200") as client:
        async with sandbox.connected(await sandbox.session_of(person)) as other:
            contact = types.InputPhoneContact(1, "+15550200", "A", "")
            imported = await other(functions.contacts.ImportContactsRequest([contact]))
            assert imported.users[-1].phone == "15550200" or imported.users[0].phone == "15550200"
        await _send(client, await _peer_of(client, person), "hello")


async def test_texts_that_telegram_refuses(sandbox: SandboxProcess) -> None:
    async with sandbox.account(username="me_myself") as client:
        with pytest.raises(errors.MessageEmptyError):
            await _send(client, "me", "")
        with pytest.raises(errors.MessageTooLongError):
            await _send(client, "me", "🙂" * 2049)
        await _send(client, "me", "🙂" * 2048)
    assert len(await sandbox.get("/messages")) == 1


async def test_an_access_hash_is_good_for_one_account_only(sandbox: SandboxProcess) -> None:
    person = await sandbox.person(username="somebody")
    async with sandbox.account() as one, sandbox.account() as two:
        peer = await _peer_of(one, person)
        with pytest.raises(errors.PeerIdInvalidError):
            await _send(two, peer, "hello")


async def test_bots_are_limited_as_on_telegram(sandbox: SandboxProcess) -> None:
    person = await sandbox.person(username="somebody", phone="+15550300")
    async with sandbox.account(bot_token="99:token") as bot:
        peer = await _peer_of(bot, person)
        with pytest.raises(errors.PeerIdInvalidError):
            await _send(bot, peer, "I may not begin")
        for request in (
            functions.messages.GetHistoryRequest(peer, 0, None, 0, 10, 0, 0, 0),
            functions.contacts.ResolvePhoneRequest("15550300"),
            functions.contacts.ImportContactsRequest([]),
            functions.messages.GetDialogsRequest(None, 0, types.InputPeerEmpty(), 10, 0),
            functions.messages.GetPeerDialogsRequest([types.InputDialogPeer(peer)]),
        ):
            with pytest.raises(errors.BotMethodInvalidError):
                await bot(request)
        await sandbox.post(f"/users/{person['id']}/messages", {"to_id": 99, "text": "/start"})
        await _send(bot, peer, "but I may answer")
        before = await bot(functions.updates.GetStateRequest())
        await sandbox.post(f"/users/{person['id']}/read", {"peer_id": 99})
        assert (await bot(functions.updates.GetStateRequest())).pts == before.pts  # and am not told who has read it


async def test_a_repeated_random_id_is_refused_or_replayed(sandbox: SandboxProcess) -> None:
    person = await sandbox.person(username="reader")
    async with sandbox.account() as client:
        peer = await _peer_of(client, person)
        first = await _send(client, peer, "once", random_id=1)
        await sandbox.put("/settings", random_id_policy="replay")
        again = await _send(client, peer, "once", random_id=1)
        assert (again.id, again.pts, again.date) == (first.id, first.pts, first.date)
        await sandbox.put("/settings", random_id_policy="error")
        request = functions.messages.SendMessageRequest(peer, "once", random_id=1)
        with pytest.raises(errors.RandomIdDuplicateError):
            # The client itself would wait two seconds before it raises an error of code 500.
            await client._sender.send(request)
        await sandbox.put("/settings", random_id_memory_seconds=0)
        assert (await _send(client, peer, "once", random_id=1)).id == first.id + 1
    stats = await sandbox.get("/stats")
    assert (stats["accepted"], stats["random_id_duplicates"], stats["refused"]) == (2, 2, {})
    outcomes = [row["outcome"] for row in await sandbox.get("/wire") if row["random_id"] == 1]
    assert outcomes == ["accepted", "duplicate", "duplicate", "accepted"]


async def test_a_person_with_a_reply_answers(sandbox: SandboxProcess) -> None:
    reply = {"text": "gladly", "after_seconds": 0.05}
    person = await sandbox.person(username="eager", reply=reply, reads_after_seconds=0)
    async with sandbox.account() as client:
        received: asyncio.Queue[Any] = asyncio.Queue()
        client.add_event_handler(received.put, events.NewMessage(incoming=True))
        await _send(client, await _peer_of(client, person), "will you?")
        event = await asyncio.wait_for(received.get(), 5)
        assert (event.sender_id, event.text) == (person["id"], "gladly")
        (dialog,) = await client.get_dialogs()
        assert dialog.dialog.read_outbox_max_id == 1
    assert [row["direction"] for row in await sandbox.get("/messages")] == ["outbound", "inbound"]
