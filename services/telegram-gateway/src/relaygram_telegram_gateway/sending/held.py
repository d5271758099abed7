"""A job in hand: pulled, not acknowledged yet, and ours until it is."""

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple

from nats.aio.msg import Msg

from relaygram_common.contracts.jobs import SendJob
from relaygram_common.jetstream.acks import delivery_key
from relaygram_telegram_gateway.adapters.pg_admission import Admitted, Content
from relaygram_telegram_gateway.adapters.pg_ledger import Entry
from relaygram_telegram_gateway.adapters.pg_media import UploadedMedia
from relaygram_telegram_gateway.core.events import Person
from relaygram_telegram_gateway.core.outcomes import AttemptFacts
from relaygram_telegram_gateway.core.peer_choice import Peer


class Lane(NamedTuple):
    """A campaign's queue: what answers people waits beside what does not."""

    campaign_id: int
    answers: bool  # to people who wrote first
    urgent: bool  # somebody waits for it


@dataclass(slots=True, eq=False)
class Held:
    """One job with everything that is known of its attempts."""

    job: SendJob
    messages: dict[str, Msg]  # the same job may lie in the stream twice; all copies end together
    since: float  # in hand, by the event loop's clock
    admitted: Admitted | None = None
    judged_at: float = 0.0  # when its last admission began, by the event loop's clock
    text: str = ""
    media_id: int | None = None  # of the file that goes with it
    file: UploadedMedia | None = None  # where that lies at Telegram
    was_refreshed: bool = False  # its file was uploaded anew for it
    peer: Peer | None = None
    born: float = 0.0  # event loop's clock at its first admission, ever
    may_be_on_wire: bool = False  # some attempt may have reached Telegram, and its outcome is unknown
    was_on_wire: bool = False  # the same before the attempt that is under way
    looked_up: bool = False  # since then its chat was read and does not hold it
    re_resolved: bool = False
    ghost_link: int | None = None  # a request was left without an answer on this connection
    answer: "asyncio.Future[Any] | None" = None  # of the attempt that is on the wire
    sent_at: float = 0.0
    on_absent: Entry | None = None  # what to record when a look into the chat does not find it; None: send it
    failures: int = 0  # on the network, so far

    @staticmethod
    def from_message(job: SendJob, message: Msg, now: float) -> "Held":
        """A job that has just come."""
        return Held(job, {delivery_key(message): message}, now)

    def add_copy(self, message: Msg) -> None:
        """The same job again: a redelivery replaces its earlier delivery."""
        self.messages[delivery_key(message)] = message

    def note_admission(self, admitted: Admitted, content: Content | None, now: float) -> None:
        """It was admitted (again): who it goes to and what it says, as things stand now."""
        if self.admitted is None:
            self.may_be_on_wire = admitted.is_retry
            self.born = now - admitted.age_seconds
        self.admitted = admitted
        self.text = content.text if content is not None else (admitted.sent_body or "")
        if content is not None:
            self.media_id = content.media_id
        self.peer = admitted.peer or self.peer
        self.failures = admitted.network_failures

    def facts(self, now: float, *, has_history: bool) -> AttemptFacts:
        """What decides whether its chat must be read first."""
        return AttemptFacts(self.may_be_on_wire, now - self.born, self.looked_up, has_history)

    def note_sent(self, answer: "asyncio.Future[Any]", now: float) -> None:
        """It is on the wire."""
        self.answer = answer
        self.sent_at = now
        self.was_on_wire = self.may_be_on_wire
        self.may_be_on_wire = True
        self.looked_up = False

    def note_not_accepted(self) -> None:
        """Telegram answered that it did not take this attempt."""
        self.may_be_on_wire = self.was_on_wire

    @property
    def deliveries(self) -> int:
        """How often the stream gave it to somebody."""
        return max(message.metadata.num_delivered for message in self.messages.values())

    @property
    def answers(self) -> bool:
        """Whether it goes to somebody who wrote first."""
        return self.job.trigger in ("auto_reply", "opt_out")

    @property
    def lane(self) -> Lane:
        """The queue in which it waits for its turn."""
        return Lane(self.job.campaign_id, self.answers, self.answers or self.job.trigger == "test")

    @property
    def never_left(self) -> bool:
        """Its only admission was ours and nothing of it left: the ledger may forget it."""
        return self.admitted is not None and self.admitted.attempt == 1 and not self.may_be_on_wire

    @property
    def target(self) -> Peer:
        """Whom it goes to; only after its person was found."""
        if self.peer is None:
            raise RuntimeError(f"job {self.job.job_id} has no peer yet")
        return self.peer

    @property
    def line(self) -> Admitted:
        """What its last admission said; only after that."""
        if self.admitted is None:
            raise RuntimeError(f"job {self.job.job_id} was not admitted yet")
        return self.admitted

    @property
    def person(self) -> Person:
        """What the log says of the recipient."""
        one = self.admitted
        if one is None:
            return Person(None, None, None, None, None)
        met = self.peer.user_id if self.peer else None
        user_id = next((known for known in (one.sent_chat, met, one.contact_user_id) if known is not None), None)
        return Person(one.contact_handle, user_id, one.reference, one.entity_id, one.application_id, one.content_type)
