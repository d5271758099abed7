"""One person, user or bot, and that person's copy of every conversation."""

from array import array
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FIRST_PTS = 1  # 0 would mean "unknown" to clients

PROFILE_COLUMNS = (
    "id",
    "username",
    "phone",
    "first_name",
    "last_name",
    "password",
    "bot_token",
    "privacy",
    "state",
    "reply_text",
    "reply_after_seconds",
    "reads_after_seconds",
)


class Message(NamedTuple):
    """One accepted message, in the order of the table's columns."""

    seq: int
    from_id: int
    to_id: int
    random_id: int | None
    text: str
    media: str | None
    reply_to: int | None
    date: float
    direction: str
    from_message_id: int
    to_message_id: int
    from_pts: int
    to_pts: int
    entities: bytes | None

    def id_for(self, account_id: int) -> int:
        """The id of this account's copy."""
        return self.from_message_id if account_id == self.from_id else self.to_message_id

    def pts_for(self, account_id: int) -> int:
        """The pts of this account's copy."""
        return self.from_pts if account_id == self.from_id else self.to_pts

    def peer_of(self, account_id: int) -> int:
        """Whom this account sees as the other side."""
        return self.to_id if account_id == self.from_id else self.from_id


class Read(NamedTuple):
    """A read receipt as one account was told of it."""

    id: int
    account_id: int
    pts: int
    box: str
    peer_id: int
    max_id: int


class Dialog:
    """What an account keeps of its conversation with one peer: which messages, and how far they were read."""

    __slots__ = ("has_received", "read_inbox_max_id", "read_outbox_max_id", "seqs")

    def __init__(self) -> None:
        self.seqs = array("q")
        self.read_inbox_max_id = 0
        self.read_outbox_max_id = 0
        self.has_received = False


@dataclass(slots=True)
class Account:
    """Profile, counters and indexes; the messages themselves are in the store, found by their seq."""

    id: int
    username: str | None = None
    phone: str | None = None
    first_name: str = ""
    last_name: str | None = None
    password: str | None = None
    bot_token: str | None = None
    privacy: str = "everyone"
    state: str = "active"
    reply_text: str | None = None
    reply_after_seconds: float | None = None
    reads_after_seconds: float | None = None
    contacts: set[int] = field(default_factory=set)
    dialogs: dict[int, Dialog] = field(default_factory=dict)
    box: "array[int]" = field(default_factory=lambda: array("q"))
    """The seq of message id n at index n - 1."""
    events: "array[int]" = field(default_factory=lambda: array("q"))
    """What each pts after the first was: the seq of a message, or minus the id of a read."""
    random_ids: dict[int, tuple[int, float]] = field(default_factory=dict)
    """Each random_id that was accepted, with the seq of its message and the time."""

    @property
    def is_bot(self) -> bool:
        """Whether it logs in with a token."""
        return self.bot_token is not None

    @property
    def pts(self) -> int:
        """How far this account's series of events has come."""
        return FIRST_PTS + len(self.events)

    def dialog_with(self, peer_id: int) -> Dialog:
        """The conversation with a peer, begun when there is none."""
        dialog = self.dialogs.get(peer_id)
        if dialog is None:
            dialog = self.dialogs[peer_id] = Dialog()
        return dialog

    def has_heard_from(self, peer_id: int) -> bool:
        """Whether the peer ever wrote to this account."""
        dialog = self.dialogs.get(peer_id)
        return dialog is not None and dialog.has_received

    def row(self) -> tuple[Any, ...]:
        """The profile in the order of the table's columns."""
        return tuple(getattr(self, column) for column in PROFILE_COLUMNS)

    def profile(self) -> dict[str, Any]:
        """The profile as the control plane shows it."""
        shown = {column: getattr(self, column) for column in PROFILE_COLUMNS[:9]}
        shown["reply"] = None
        if self.reply_text is not None:
            shown["reply"] = {"text": self.reply_text, "after_seconds": self.reply_after_seconds}
        return {**shown, "reads_after_seconds": self.reads_after_seconds}
