"""The acting Telegram: what clients and people do to the world, and whom it tells of it."""

from typing import Any

from relaygram_sandbox import clock
from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.faults import FaultBook
from relaygram_sandbox.intentions import Intentions
from relaygram_sandbox.protocol.keys import KeyRing
from relaygram_sandbox.protocol.server import MTProtoServer
from relaygram_sandbox.protocol.session import Session
from relaygram_sandbox.views import Views
from relaygram_sandbox.world.account import Account, Message
from relaygram_sandbox.world.limits import FLOOD_WAIT_SECONDS, Attempt, Limits, is_too_fast, refusal
from relaygram_sandbox.world.statistics import HOUR_SECONDS
from relaygram_sandbox.world.world import World

_NO_LIMITS = Limits()


class Telegram:
    """Joins the world with the connected clients. Every method is one synchronous step."""

    def __init__(self, world: World, keys: KeyRing, server: MTProtoServer, faults: FaultBook) -> None:
        self.world = world
        self.keys = keys
        self.server = server
        self.faults = faults
        self._flood_until: dict[int, float] = {}
        self.intentions = Intentions(world.store, self._carry_out)
        self.views = Views(world.directory, world.record, world.files)

    def account(self, user_id: int) -> Account | None:
        """The person with this id."""
        return self.world.directory.by_id.get(user_id)

    def accept(
        self,
        sender: Account,
        recipient: Account,
        text: str,
        *,
        random_id: int,
        arrived_at: float,
        reply_to: int | None,
        entities: bytes | None,
        media: str | None = None,
        session: Session,
    ) -> Message:
        """Accept a client's message, tell everybody whom it concerns, and let the recipient react."""
        message = self.world.record.add_message(
            sender,
            recipient,
            text,
            date=arrived_at,
            direction="outbound",
            random_id=random_id,
            reply_to=reply_to,
            entities=entities,
            media=media,
        )
        is_stranger = recipient is not sender and not sender.has_heard_from(recipient.id)
        self.world.statistics.count_accepted(sender.id, arrived_at, to_stranger=is_stranger)
        self._push_message(sender, message, but=session)
        if recipient is not sender:
            self._push_message(recipient, message)
            self._plan_reactions(sender, recipient, message)
        return message

    def write_inbound(self, person: Account, account: Account, text: str, reply_to: int | None = None) -> Message:
        """A person writes to an account, without any client of the person's."""
        message = self.world.record.add_message(
            person, account, text, date=clock.now(), direction="inbound", reply_to=reply_to
        )
        self._push_message(account, message)
        if person is not account:
            self._push_message(person, message)
        self.server.outbox.soon()
        return message

    def read_history(self, reader: Account, peer: Account, max_id: int | None = None) -> int:
        """The reader has read the peer's messages up to an id of the reader's box; the peer is told.

        Returns the pts of the reader.
        """
        received = self._last_received(reader, peer, max_id)
        dialog = reader.dialog_with(peer.id)
        if received is None or received.id_for(reader.id) <= dialog.read_inbox_max_id:
            return reader.pts
        inbox = self.world.record.add_read(reader, "inbox", peer.id, received.id_for(reader.id))
        self.server.push(reader.id, self.views.read(reader, inbox))
        if peer is not reader and not peer.is_bot:  # bots are not told who has read
            outbox = self.world.record.add_read(peer, "outbox", reader.id, received.id_for(peer.id))
            self.server.push(peer.id, self.views.read(peer, outbox))
        self.server.outbox.soon()
        return inbox.pts

    def refuse_unless_writable(self, sender: Account, recipient: Account) -> None:
        """Raise what Telegram answers when this account may not write to that person."""
        if recipient is sender:
            return
        if recipient.state == "deactivated":
            raise TelegramError("INPUT_USER_DEACTIVATED")
        if recipient.state == "blocked":
            raise TelegramError("USER_IS_BLOCKED")
        if sender.is_bot and recipient.is_bot:
            raise TelegramError("USER_IS_BOT")
        knows_sender = sender.has_heard_from(recipient.id)
        if sender.is_bot and not knows_sender:
            raise TelegramError("PEER_ID_INVALID")
        if recipient.privacy == "contacts" and not knows_sender and sender.id not in recipient.contacts:
            raise TelegramError("USER_PRIVACY_RESTRICTED")

    def refuse_beyond_limits(self, sender: Account, recipient: Account, at: float) -> None:
        """Raise what Telegram answers to an account that sends more than is tolerated."""
        limits = self.world.limits
        if limits == _NO_LIMITS:
            return
        pace = self.world.statistics.pace_of(sender.id)
        attempt = Attempt(
            at=at,
            sent_in_last_second=pace.count_since(at - 1.0),
            flood_until=self._flood_until.get(sender.id, 0.0),
            strangers_in_last_hour=self.world.statistics.strangers_since(sender.id, at - HOUR_SECONDS),
            first_sent_at=pace.first,
            last_sent_to_peer_at=self.world.record.last_sent_at(sender, recipient.id),
            peer_has_written=sender.has_heard_from(recipient.id),
        )
        name = refusal(limits, attempt)
        if is_too_fast(limits, attempt) and at >= attempt.flood_until:
            self._flood_until[sender.id] = at + FLOOD_WAIT_SECONDS
        if name is not None:
            raise TelegramError(name)

    def reset(self) -> None:
        """An empty world; connected clients find that they are logged in as nobody."""
        self.intentions.clear()
        self._flood_until.clear()
        self.world.reset()
        self.views = Views(self.world.directory, self.world.record, self.world.files)
        self.faults.load()
        self.keys.log_out_all()
        self.server.outbox.soon()

    def _push_message(self, owner: Account, message: Message, but: Session | None = None) -> None:
        if not self.server.is_listening(owner.id, but):
            return
        is_short = self.world.settings.short_messages and message.media is None
        update = self.views.short_message if is_short else self.views.new_message
        self.server.push(owner.id, update(owner, message), but)

    def _last_received(self, reader: Account, peer: Account, max_id: int | None) -> Message | None:
        dialog = reader.dialogs.get(peer.id)
        if dialog is None:
            return None
        for seq in reversed(dialog.seqs):
            message = self.world.record.message(seq)
            if message.from_id == peer.id and (not max_id or message.id_for(reader.id) <= max_id):
                return message
        return None

    def _plan_reactions(self, sender: Account, person: Account, message: Message) -> None:
        if person.reads_after_seconds is not None:
            self.intentions.plan(person.reads_after_seconds, person.id, sender.id, None, message.seq)
        if person.reply_text is not None:
            delay = person.reply_after_seconds or 0.0
            self.intentions.plan(delay, person.id, sender.id, person.reply_text, message.seq)

    def _carry_out(self, person_id: int, account_id: int, reply: str | None, seq: int) -> None:
        person, account = self.account(person_id), self.account(account_id)
        if person is None or account is None:
            return
        if reply is not None:
            self.write_inbound(person, account, reply)
        else:
            message: Any = self.world.record.message(seq)
            self.read_history(person, account, message.id_for(person.id))
