"""The record of accepted messages and both sides' copies of them. This is what tests of "nothing lost, nothing
doubled" trust, so accepting is one synchronous step: row, copies, pts and random_id, with no await between.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice

from relaygram_sandbox.store import Store
from relaygram_sandbox.world.account import FIRST_PTS, Account, Dialog, Message, Read
from relaygram_sandbox.world.directory import Directory

_NEVER = 1 << 62


class Record:
    """Appends messages and reads, and finds them again by account, peer, id or pts."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store = store
        self._directory = directory
        self.last_seq = 0
        self._last_read_id = 0
        self._load()

    def add_message(
        self,
        sender: Account,
        recipient: Account,
        text: str,
        *,
        date: float,
        direction: str,
        random_id: int | None = None,
        reply_to: int | None = None,
        media: str | None = None,
        entities: bytes | None = None,
    ) -> Message:
        """Accept a message: the record's row, the copy of each side, and an event for each."""
        self.last_seq = seq = self.last_seq + 1
        to_self = sender is recipient
        message = Message(
            seq,
            sender.id,
            recipient.id,
            random_id,
            text,
            media,
            reply_to,
            date,
            direction,
            len(sender.box) + 1,
            len(recipient.box) + 1,
            sender.pts + 1,
            recipient.pts + 1,
            entities,
        )
        self._store.add_message(message)
        self._file_copy(sender, recipient.id, seq)
        if not to_self:
            self._file_copy(recipient, sender.id, seq)
            recipient.dialogs[sender.id].has_received = True
        if random_id is not None:
            sender.random_ids[random_id] = (seq, date)
        return message

    def add_read(self, account: Account, box: str, peer_id: int, max_id: int) -> Read:
        """Note that a conversation was read up to a message, as this account is told of it."""
        self._last_read_id += 1
        read = Read(self._last_read_id, account.id, account.pts + 1, box, peer_id, max_id)
        self._store.write("INSERT INTO reads VALUES (?, ?, ?, ?, ?, ?)", *read)
        self._file_read(account, read)
        return read

    def message(self, seq: int) -> Message:
        """One message of the record."""
        return Message(*self._store.rows("SELECT * FROM messages WHERE seq = ?", seq)[0])

    def messages(self, seqs: Sequence[int]) -> list[Message]:
        """Messages of the record, in the order asked for."""
        return [self.message(seq) for seq in seqs]

    def by_message_id(self, account: Account, message_id: int) -> Message | None:
        """The message with this id in the account's box."""
        if not 1 <= message_id <= len(account.box):
            return None
        return self.message(account.box[message_id - 1])

    def history(
        self,
        account: Account,
        dialog: Dialog,
        *,
        limit: int,
        offset_id: int = 0,
        offset_date: float | None = None,
        add_offset: int = 0,
        min_id: int = 0,
        max_id: int = 0,
    ) -> list[Message]:
        """A part of a conversation, newest first, with the meaning Telegram gives to each bound."""
        seqs = dialog.seqs
        end = len(seqs)
        if offset_id:
            end = bisect_left(seqs, self._seq_at(account, offset_id))
        elif offset_date is not None:
            end = bisect_left(seqs, offset_date, key=lambda seq: self.message(seq).date)
        end = min(max(end - add_offset, 0), len(seqs))
        if max_id:
            end = min(end, bisect_left(seqs, self._seq_at(account, max_id)))
        start = bisect_left(seqs, self._seq_at(account, min_id + 1)) if min_id else 0
        start = max(start, end - limit)
        return self.messages(seqs[start:end][::-1])

    def last_sent_at(self, account: Account, peer_id: int) -> float | None:
        """When the account last wrote to the peer."""
        dialog = account.dialogs.get(peer_id)
        for seq in reversed(dialog.seqs if dialog else ()):
            message = self.message(seq)
            if message.from_id == account.id:
                return message.date
        return None

    def count_unread(self, account: Account, peer_id: int, dialog: Dialog) -> int:
        """How many of the peer's messages the account has not read."""
        start = bisect_left(dialog.seqs, self._seq_at(account, dialog.read_inbox_max_id + 1))
        return sum(message.from_id == peer_id for message in self.messages(dialog.seqs[start:]))

    def events_after(self, account: Account, pts: int, limit: int) -> list[Message | Read]:
        """What happened to the account after a pts, oldest first."""
        events: list[Message | Read] = []
        for event in islice(account.events, max(pts - FIRST_PTS, 0), max(pts - FIRST_PTS, 0) + limit):
            if event > 0:
                events.append(self.message(event))
            else:
                row = self._store.rows("SELECT * FROM reads WHERE id = ?", -event)[0]
                events.append(Read(*row))
        return events

    @staticmethod
    def _seq_at(account: Account, message_id: int) -> int:
        if message_id > len(account.box):
            return _NEVER
        return account.box[max(message_id, 1) - 1]

    @staticmethod
    def _file_copy(owner: Account, peer_id: int, seq: int) -> None:
        owner.box.append(seq)
        owner.events.append(seq)
        owner.dialog_with(peer_id).seqs.append(seq)

    @staticmethod
    def _file_read(account: Account, read: Read) -> None:
        account.events.append(-read.id)
        dialog = account.dialog_with(read.peer_id)
        if read.box == "inbox":
            dialog.read_inbox_max_id = max(dialog.read_inbox_max_id, read.max_id)
        else:
            dialog.read_outbox_max_id = max(dialog.read_outbox_max_id, read.max_id)

    def _load(self) -> None:
        people = self._directory.by_id
        reads = [Read(*row) for row in self._store.iterate("SELECT * FROM reads ORDER BY id")]
        self._last_read_id = reads[-1].id if reads else 0
        waiting: dict[int, list[Read]] = {}
        for read in reversed(reads):
            waiting.setdefault(read.account_id, []).append(read)
        for row in self._store.iterate("SELECT * FROM messages ORDER BY seq"):
            message = Message(*row)
            self.last_seq = message.seq
            for owner in {message.from_id, message.to_id}:
                self._file_reads_before(people[owner], waiting.get(owner, []), message.pts_for(owner))
                self._file_copy(people[owner], message.peer_of(owner), message.seq)
            if message.from_id != message.to_id:
                people[message.to_id].dialogs[message.from_id].has_received = True
            if message.random_id is not None:
                people[message.from_id].random_ids[message.random_id] = (message.seq, message.date)
        for owner, left in waiting.items():
            self._file_reads_before(people[owner], left, _NEVER)

    def _file_reads_before(self, account: Account, newest_first: list[Read], pts: int) -> None:
        while newest_first and newest_first[-1].pts < pts:
            self._file_read(account, newest_first.pop())
