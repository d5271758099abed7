"""Compares what the log says with what Telegram got. Values in, values out."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BODY = "Hello {{first_name|there}}, your seat at the spring evening is {{seat}}."
_SEAT = re.compile(r"seat at the spring evening is (\S+)\.$")


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """One row of the log."""

    body: str
    status: str
    error_code: str | None


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """One message that the sandbox accepted."""

    to_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost` and `doubled` name each case in a sentence; both empty means exactly once."""

    contacts: int
    sent: int
    failed: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]

    @property
    def line(self) -> str:
        """The last line of the demo."""
        return (
            f"relaygram demo: {self.contacts} contacts, {self.sent} sent, {self.failed} failed, "
            f"{len(self.lost)} lost, {len(self.doubled)} doubled"
        )

    @property
    def is_exact(self) -> bool:
        """Nothing lost, nothing doubled, everybody accounted for."""
        return not self.lost and not self.doubled and self.sent + self.failed == self.contacts


def judge(
    contacts: int,
    people: Mapping[str, int],
    log: Sequence[LoggedMessage],
    record: Sequence[RecordedMessage],
) -> Verdict:
    """`people`: Telegram id by seat. Seats are in the texts, so each text belongs to one person.

    Doubled counts by person and text, not by any id of ours: a repetition under a new id is one, too.
    """
    rows = {seat_of(row.body): row for row in log}
    received = Counter((message.to_id, seat_of(message.text)) for message in record)
    lost, doubled = [], []
    for seat, person in people.items():
        row, copies = rows.get(seat), received.pop((person, seat), 0)
        if row is None:
            lost.append(f"{seat}: not in the log")
        elif row.status == "pending":
            lost.append(f"{seat}: still pending in the log")
        elif row.status == "sent" and copies == 0:
            lost.append(f"{seat}: the log says sent, Telegram got nothing")
        elif row.status == "failed" and copies:
            lost.append(f"{seat}: the log says failed ({row.error_code}), Telegram got it")
        if copies > 1:
            doubled.append(f"{seat}: Telegram got it {copies} times")
    doubled += [f"{seat}: Telegram got it for {person}, whose seat it is not" for person, seat in received]
    if len(log) != len(rows):
        doubled.append(f"the log has {len(log)} rows for {len(rows)} messages")
    counts = Counter(row.status for row in log)
    return Verdict(contacts, counts["sent"], counts["failed"], tuple(lost), tuple(doubled))


def is_of_broadcast(text: str) -> bool:
    """Whether a message is one of the broadcast's."""
    return _SEAT.search(text) is not None


def seat_of(text: str) -> str:
    """The seat that a text names; the text itself when it names none."""
    match = _SEAT.search(text)
    return match[1] if match else text
