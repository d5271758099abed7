"""TL objects made on demand from the rows of the world, as one account sees them."""

import json
from collections.abc import Iterable
from typing import Any

from telethon.extensions import BinaryReader
from telethon.tl import types

from relaygram_sandbox import clock
from relaygram_sandbox.tl import DC_ID
from relaygram_sandbox.world.account import Account, Message, Read
from relaygram_sandbox.world.directory import Directory
from relaygram_sandbox.world.files import Files, StoredFile
from relaygram_sandbox.world.record import Record


class Views:
    """Builds what clients are shown."""

    def __init__(self, directory: Directory, record: Record, files: Files) -> None:
        self._directory = directory
        self._record = record
        self._files = files

    def user(self, viewer: Account, target: Account) -> Any:
        """A person as this account sees it, with the access hash made for it alone."""
        is_contact = target.id in viewer.contacts
        shows_phone = target.phone is not None and (is_contact or viewer is target)
        return types.User(
            id=target.id,
            is_self=viewer is target or None,
            contact=is_contact or None,
            deleted=target.state == "deactivated" or None,
            bot=target.is_bot or None,
            bot_info_version=1 if target.is_bot else None,
            access_hash=self._directory.access_hash(viewer.id, target.id),
            first_name=target.first_name,
            last_name=target.last_name,
            username=target.username,
            phone=target.phone.removeprefix("+") if target.phone and shows_phone else None,
        )

    def users(self, viewer: Account, ids: Iterable[int]) -> list[Any]:
        """Several people, and always the account itself."""
        people = self._directory.by_id
        return [self.user(viewer, people[user_id]) for user_id in sorted({viewer.id, *ids})]

    def message(self, owner: Account, message: Message) -> Any:
        """The account's copy of a message."""
        is_out = message.from_id == owner.id
        entities = BinaryReader(message.entities).tgread_object() if message.entities else None
        return types.Message(
            id=message.id_for(owner.id),
            peer_id=types.PeerUser(message.peer_of(owner.id)),
            from_id=types.PeerUser(message.from_id),
            date=clock.as_datetime(message.date),
            message=message.text,
            out=is_out or None,
            entities=entities,
            media=self._attached(owner, message),
            reply_to=self._reply_header(owner, message),
        )

    def new_message(self, owner: Account, message: Message) -> Any:
        """The update that tells the account of a message."""
        return self.updates(owner, [self.message_update(owner, message)], [message.peer_of(owner.id)], message.date)

    def short_message(self, owner: Account, message: Message) -> Any:
        """The same of a text, without the person: Telegram takes it that the client knows them."""
        whole = self.message(owner, message)
        return types.UpdateShortMessage(
            id=whole.id,
            user_id=message.peer_of(owner.id),
            message=whole.message,
            pts=message.pts_for(owner.id),
            pts_count=1,
            date=whole.date,
            out=whole.out,
            entities=whole.entities,
            reply_to=whole.reply_to,
        )

    def message_update(self, owner: Account, message: Message) -> Any:
        """The bare update of a message."""
        return types.UpdateNewMessage(self.message(owner, message), message.pts_for(owner.id), 1)

    def media(self, viewer: Account, file: StoredFile) -> Any:
        """A file as this account may refer to it, with a reference that is fresh."""
        now = clock.now()
        access_hash = self._files.access_hash(viewer.id, file.id)
        reference = self._files.reference(viewer.id, file.id, now)
        if file.kind == "photo":
            size = types.PhotoSize("x", file.width, file.height, file.size)
            photo = types.Photo(file.id, access_hash, reference, clock.as_datetime(now), [size], DC_ID)
            return types.MessageMediaPhoto(photo=photo)
        attributes = BinaryReader(file.attributes).tgread_object() if file.attributes else []
        document = types.Document(
            file.id, access_hash, reference, clock.as_datetime(now), file.mime_type, file.size, DC_ID, attributes
        )
        return types.MessageMediaDocument(document=document)

    def read(self, owner: Account, read: Read) -> Any:
        """The update that tells the account how far a conversation was read."""
        return self.updates(owner, [self.read_update(read)], [read.peer_id], clock.now())

    def read_update(self, read: Read) -> Any:
        """The bare update of a read."""
        peer = types.PeerUser(read.peer_id)
        if read.box == "outbox":
            return types.UpdateReadHistoryOutbox(peer, read.max_id, read.pts, 1)
        return types.UpdateReadHistoryInbox(peer, read.max_id, 0, read.pts, 1)

    def updates(self, viewer: Account, updates: list[Any], ids: Iterable[int], date: float) -> Any:
        """Updates with the people they speak of; seq 0 says that it is not to be checked."""
        return types.Updates(updates, self.users(viewer, ids), [], clock.as_datetime(date), 0)

    def _attached(self, owner: Account, message: Message) -> Any:
        if message.media is None:
            return None
        return self.media(owner, self._files[json.loads(message.media)["file_id"]])

    def _reply_header(self, owner: Account, message: Message) -> Any:
        if message.reply_to is None:
            return None
        answered = self._record.message(message.reply_to)
        return types.MessageReplyHeader(reply_to_msg_id=answered.id_for(owner.id))
