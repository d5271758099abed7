"""Finding people, looking back at conversations, catching up."""

import asyncio
from typing import Any

import pytest
from telethon import errors, events, functions, types

from tests.sandbox.support import SandboxProcess


async def test_people_are_found_by_username_phone_and_contact(sandbox: SandboxProcess) -> None:
    person = await sandbox.person(username="Somebody", phone="+15550400")
    async with sandbox.account() as client:
        assert (await client.get_entity("@somebody")).id == person["id"]
        found = await client(functions.contacts.ResolvePhoneRequest("15550400"))
        assert found.peer.user_id == person["id"]
        contacts = [
            types.InputPhoneContact(7, "+15550400", "A", ""),
            types.InputPhoneContact(8, "+19999999", "B", ""),
        ]
        imported = await client(functions.contacts.ImportContactsRequest(contacts))
        assert [(each.user_id, each.client_id) for each in imported.imported] == [(person["id"], 7)]
        entity = await client.get_entity(person["id"])
        assert (entity.phone, entity.contact) == ("15550400", True)
        await client(functions.contacts.DeleteContactsRequest([await client.get_input_entity(person["id"])]))
        (entity,) = await client(functions.users.GetUsersRequest([await client.get_input_entity(person["id"])]))
        assert (entity.phone, entity.contact) == (None, False)


async def test_unknown_people_are_not_found(sandbox: SandboxProcess) -> None:
    async with sandbox.account() as client:
        with pytest.raises(errors.UsernameNotOccupiedError):
            await client(functions.contacts.ResolveUsernameRequest("nobody_here"))
        with pytest.raises(errors.UsernameInvalidError):
            await client(functions.contacts.ResolveUsernameRequest("no-name"))
        with pytest.raises(errors.PhoneNotOccupiedError):
            await client(functions.contacts.ResolvePhoneRequest("19999999"))
        with pytest.raises(ValueError, match="Could not find the input entity"):
            await client.get_input_entity(123456)


async def test_an_open_world_has_everybody(tmp_path_factory: pytest.TempPathFactory) -> None:
    sandbox = SandboxProcess(tmp_path_factory.mktemp("open") / "state", "--open-world")
    await sandbox.start()
    try:
        async with sandbox.account() as client:
            found = await client.get_entity("anna_k")
            assert found.first_name == "Anna"
            assert (await client.get_entity("ANNA_K")).id == found.id
            await client.send_message("anna_k", "hello")
    finally:
        assert await sandbox.stop() == 0


async def test_history_honours_its_bounds(sandbox: SandboxProcess) -> None:
    await sandbox.person(username="reader")
    await sandbox.person(username="other")
    async with sandbox.account() as client:
        for number in range(1, 11):
            await client.send_message("reader", str(number))
            await client.send_message("other", "noise")

        async def texts(**bounds: Any) -> list[int]:
            return [int(message.text) for message in await client.get_messages("reader", **bounds)]

        ids = {int(message.text): message.id for message in await client.get_messages("reader", limit=20)}
        assert await texts(limit=3) == [10, 9, 8]
        assert await texts(limit=3, offset_id=ids[8]) == [7, 6, 5]
        assert await texts(limit=20, min_id=ids[7]) == [10, 9, 8]
        assert await texts(limit=20, max_id=ids[3]) == [2, 1]
        assert await texts(limit=2, reverse=True, min_id=ids[4]) == [5, 6]
        newest = (await client.get_messages("reader"))[0]
        assert len(await texts(limit=20, offset_date=newest.date)) < 10
        assert (await client.get_messages("reader", limit=3)).total == 10
        assert [each.text for each in await client.get_messages("reader", ids=[ids[2], ids[5]])] == ["2", "5"]


async def test_inbound_messages_missed_while_away_are_caught_up(sandbox: SandboxProcess) -> None:
    writer = await sandbox.person(username="writer")
    account = await sandbox.person()
    session = await sandbox.session_of(account)
    async with sandbox.connected(session) as client:
        state = await client(functions.updates.GetStateRequest())
    for number in range(3):
        body = {"to_id": account["id"], "text": f"missed {number}"}
        await sandbox.post(f"/users/{writer['id']}/messages", body)
    client = sandbox.client(session, catch_up=True)
    client.session.set_update_state(0, types.updates.State(state.pts, 0, state.date, 1, 0))
    received: asyncio.Queue[Any] = asyncio.Queue()
    client.add_event_handler(received.put, events.NewMessage(incoming=True))
    await client.connect()
    texts = [(await asyncio.wait_for(received.get(), 5)).text for _ in range(3)]
    assert texts == ["missed 0", "missed 1", "missed 2"]
    await client.disconnect()


async def test_a_long_absence_is_told_in_slices_that_end(sandbox: SandboxProcess) -> None:
    async with sandbox.account(username="away") as client, sandbox.account() as other:
        peer = await other.get_input_entity("away")
        request = functions.messages.SendMessageRequest
        await asyncio.gather(*(other(request(peer, str(number))) for number in range(1200)))
        pts, texts = 1, []
        while True:
            answer = await client(functions.updates.GetDifferenceRequest(pts, None, 0))
            texts += [message.message for message in answer.new_messages]
            if isinstance(answer, types.updates.Difference):
                break
            assert answer.intermediate_state.pts > pts
            pts = answer.intermediate_state.pts
    assert texts == [str(number) for number in range(1200)]


async def test_reading_is_told_to_the_writer(sandbox: SandboxProcess) -> None:
    async with sandbox.account(username="one") as one, sandbox.account(username="two") as two:
        seen: asyncio.Queue[Any] = asyncio.Queue()
        one.add_event_handler(seen.put, events.MessageRead())
        first = await one.send_message("two", "first")
        await two.send_read_acknowledge("one")
        assert (await asyncio.wait_for(seen.get(), 5)).max_id == first.id
        second = await one.send_message("two", "second")
        await sandbox.post(f"/users/{two.profile['id']}/read", {"peer_id": one.profile["id"]})
        assert (await asyncio.wait_for(seen.get(), 5)).max_id == second.id
        (dialog,) = await one.get_dialogs()
        assert dialog.dialog.read_outbox_max_id == second.id
        peers = [types.InputDialogPeer(await one.get_input_entity("two"))]
        told = await one(functions.messages.GetPeerDialogsRequest(peers))
        assert told.dialogs[0].read_outbox_max_id == second.id
