"""Photos and documents: uploaded, referred to, recorded, refused."""

import asyncio
import io
import os
from hashlib import sha256
from typing import Any

import pytest
from telethon import errors, events, functions, types

from tests.sandbox.pictures import png
from tests.sandbox.support import SandboxProcess


def _named(data: bytes, name: str) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = name
    return file


async def _document(client: Any, data: bytes, name: str = "offer.pdf") -> Any:
    uploaded = await client.upload_file(data, file_name=name)
    return types.InputMediaUploadedDocument(uploaded, "application/pdf", [types.DocumentAttributeFilename(name)])


async def _photo(client: Any, data: bytes) -> Any:
    return types.InputMediaUploadedPhoto(await client.upload_file(data, file_name="photo.png"))


def _send(client: Any, peer: Any, media: Any, caption: str = "", random_id: int | None = None) -> Any:
    return client(functions.messages.SendMediaRequest(peer, media, caption, random_id=random_id))


async def test_a_file_of_telethons_own_arrives_with_its_caption(sandbox: SandboxProcess) -> None:
    picture = png()
    async with sandbox.account(username="one") as one, sandbox.account(username="two") as two:
        received: asyncio.Queue[Any] = asyncio.Queue()
        two.add_event_handler(received.put, events.NewMessage(incoming=True))
        sent = await one.send_file("two", _named(picture, "photo.png"), caption="look")
        assert (sent.photo.sizes[0].w, sent.photo.sizes[0].h) == (40, 30)
        event = await asyncio.wait_for(received.get(), 5)
        assert (event.text, event.photo.sizes[0].size) == ("look", len(picture))
        await one.send_file("two", _named(b"%PDF-1", "offer.pdf"), caption="read")
        event = await asyncio.wait_for(received.get(), 5)
        assert (event.text, event.file.name, event.file.size) == ("read", "offer.pdf", 6)
        assert [message.media is not None for message in await one.get_messages("two", limit=5)] == [True, True]
    rows = await sandbox.get("/messages")
    assert [row["media"] for row in rows] == [
        {
            "kind": "photo",
            "size": len(picture),
            "sha256": sha256(picture).hexdigest(),
            "mime_type": "image/jpeg",
            "file_name": None,
        },
        {
            "kind": "document",
            "size": 6,
            "sha256": sha256(b"%PDF-1").hexdigest(),
            "mime_type": "application/pdf",
            "file_name": "offer.pdf",
        },
    ]
    stats = await sandbox.get("/stats")
    assert stats["accepted"] == 2


async def test_a_big_file_in_many_parts_is_put_together(sandbox: SandboxProcess) -> None:
    data = os.urandom(11 * 1024 * 1024 + 123)
    async with sandbox.account() as client:
        await _send(client, "me", await _document(client, data), "big")
    (row,) = await sandbox.get("/messages")
    assert (row["media"]["size"], row["media"]["sha256"]) == (len(data), sha256(data).hexdigest())
    assert {row["method"] for row in await sandbox.get("/wire")} >= {"upload.saveBigFilePart", "messages.sendMedia"}


@pytest.mark.parametrize("kind", ["photo", "document"])
async def test_what_was_uploaded_once_is_sent_again_by_reference(sandbox: SandboxProcess, kind: str) -> None:
    await sandbox.person(username="reader")
    async with sandbox.account() as client:
        given = await (_photo(client, png()) if kind == "photo" else _document(client, b"%PDF-1"))
        made = await client(functions.messages.UploadMediaRequest("me", given))
        assert await sandbox.get("/messages") == []
        await sandbox.kill()
        await sandbox.start()
        if kind == "photo":
            file = made.photo
            media: Any = types.InputMediaPhoto(types.InputPhoto(file.id, file.access_hash, file.file_reference))
        else:
            file = made.document
            media = types.InputMediaDocument(types.InputDocument(file.id, file.access_hash, file.file_reference))
        await _send(client, "reader", media, "first")
        await _send(client, "reader", media, "second")
    rows = await sandbox.get("/messages")
    assert [(row["text"], row["media"]["kind"]) for row in rows] == [("first", kind), ("second", kind)]
    assert rows[0]["media"] == rows[1]["media"]


async def test_references_expire_and_are_good_for_one_account(sandbox: SandboxProcess) -> None:
    async with sandbox.account() as one, sandbox.account() as two:
        given = await _document(one, b"%PDF-1")
        file = (await one(functions.messages.UploadMediaRequest("me", given))).document

        def referring(access_hash: int, reference: bytes) -> Any:
            return types.InputMediaDocument(types.InputDocument(file.id, access_hash, reference))

        good = referring(file.access_hash, file.file_reference)
        with pytest.raises(errors.MediaEmptyError):
            await _send(two, "me", good)
        with pytest.raises(errors.MediaEmptyError):
            await _send(one, "me", referring(file.access_hash + 1, file.file_reference))
        with pytest.raises(errors.FileReferenceEmptyError):
            await _send(one, "me", referring(file.access_hash, b""))
        with pytest.raises(errors.FileReferenceInvalidError):
            await _send(one, "me", referring(file.access_hash, b"0123456789abcdef"))
        await sandbox.put("/settings", file_reference_seconds=0)
        with pytest.raises(errors.FileReferenceExpiredError):
            await _send(one, "me", good)
        await sandbox.put("/settings", file_reference_seconds=None)
        fault = {"name": "stale", "method": "messages.sendMedia", "action": {"error": "FILE_REFERENCE_EXPIRED"}}
        await sandbox.post("/faults", {**fault, "times": 1})
        with pytest.raises(errors.FileReferenceExpiredError):
            await _send(one, "me", good)
        await _send(one, "me", good)
    assert len(await sandbox.get("/messages")) == 1


async def test_files_that_telegram_refuses(sandbox: SandboxProcess) -> None:
    async with sandbox.account() as client:
        with pytest.raises(errors.ImageProcessFailedError):
            await _send(client, "me", await _photo(client, b"not a picture"))
        with pytest.raises(errors.PhotoInvalidDimensionsError):
            await _send(client, "me", await _photo(client, png(2100, 100)))
        with pytest.raises(errors.MediaCaptionTooLongError):
            await _send(client, "me", await _photo(client, png()), "🙂" * 513)
        with pytest.raises(errors.MediaInvalidError):
            await _send(client, "me", types.InputMediaDice("🎲"))
        for part, data, error in (
            (0, b"", errors.FilePartEmptyError),
            (0, bytes(512 * 1024 + 1), errors.FilePartTooBigError),
            (4000, b"x", errors.FilePartInvalidError),
        ):
            with pytest.raises(error):
                await client(functions.upload.SaveFilePartRequest(7, part, data))
        await client(functions.upload.SaveFilePartRequest(7, 0, bytes(1024)))
        for parts, checksum, sent_error in (
            (2, "", errors.FilePartMissingError),
            (0, "", errors.FilePartsInvalidError),
            (1, "0" * 32, errors.Md5ChecksumInvalidError),
        ):
            broken = types.InputMediaUploadedDocument(types.InputFile(7, parts, "x", checksum), "text/plain", [])
            with pytest.raises(sent_error):
                await _send(client, "me", broken)
    assert await sandbox.get("/messages") == []


async def test_a_refused_upload_can_be_sent_later_and_only_once(sandbox: SandboxProcess) -> None:
    async with sandbox.account() as client:
        given = await _photo(client, png())
        await sandbox.post(
            "/faults", {"name": "wait", "method": "messages.sendMedia", "action": {"drop": "after"}, "times": 1}
        )
        await sandbox.put("/settings", random_id_policy="replay")
        result = await _send(client, "me", given, "once", random_id=5)
        assert isinstance(result.updates[1].message.media, types.MessageMediaPhoto)
        again = await _send(client, "me", given, "once", random_id=5)
        assert again.updates[0].id == result.updates[0].id
    assert [row["text"] for row in await sandbox.get("/messages")] == ["once"]
    assert (await sandbox.get("/stats"))["random_id_duplicates"] == 2


async def test_a_bot_sends_files_to_whom_it_may_write(sandbox: SandboxProcess) -> None:
    person = await sandbox.person(username="somebody")
    async with sandbox.account(bot_token="99:token") as bot:
        peer = await bot.get_input_entity("somebody")
        with pytest.raises(errors.PeerIdInvalidError):
            await _send(bot, peer, await _photo(bot, png()))
        await sandbox.post(f"/users/{person['id']}/messages", {"to_id": 99, "text": "/start"})
        made = await bot(functions.messages.UploadMediaRequest(peer, await _photo(bot, png())))
        file = types.InputPhoto(made.photo.id, made.photo.access_hash, made.photo.file_reference)
        await _send(bot, peer, types.InputMediaPhoto(file), "here")
    assert [row["media"] is not None for row in await sandbox.get("/messages")] == [False, True]
