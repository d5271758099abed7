"""What happened in some chats, how the log-writer may hear of it, and what the log must say in the end."""

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from hypothesis import strategies as st

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.receipts import Receipt
from tests.log_writer.events import T0, event

ACCOUNT = 3
_chats = itertools.count(10_000, 2)  # each story has chats of its own


def receipt(
    kind: Literal["read", "reply"], message_id: int, *, chat: int, seconds: float, account: int = ACCOUNT
) -> Receipt:
    """One receipt, as the gateway publishes it."""
    return Receipt(
        workspace_id=1,
        account_id=account,
        chat_id=chat,
        kind=kind,
        message_id=message_id,
        occurred_at=T0 + timedelta(seconds=seconds),
    )


def sent(message_id: int | None, *, campaign: int | None, chat: int, seconds: float, **fields: Any) -> DeliveryEvent:
    """An accepted message of a chat."""
    return event(
        "sent", campaign=campaign, seconds=seconds, recipient_id=chat, telegram_message_id=message_id, **fields
    )


@dataclass
class Model:
    """The log's rules for receipts, in the plainest words: after each arrival look at everything there is."""

    messages: dict[UUID, DeliveryEvent] = field(default_factory=dict)
    receipts: set[Receipt] = field(default_factory=set)
    read_at: dict[UUID, datetime] = field(default_factory=dict)
    replied_at: dict[UUID, datetime] = field(default_factory=dict)
    last_reply_at: dict[UUID, datetime] = field(default_factory=dict)

    def arrive(self, *things: DeliveryEvent | Receipt) -> None:
        """These are in the log now."""
        for thing in things:
            if isinstance(thing, Receipt):
                self.receipts.add(thing)
            else:
                self.messages[thing.job_id] = thing
        for one in self.receipts:
            before = [message for message in self.messages.values() if _is_before(message, one)]
            if one.kind == "read":
                for message in before:
                    _keep_earliest(self.read_at, message.job_id, one.occurred_at)
            elif before:
                newest = max(before, key=lambda message: message.occurred_at)
                _keep_earliest(self.replied_at, newest.job_id, one.occurred_at)
                last = self.last_reply_at.get(newest.job_id, one.occurred_at)
                self.last_reply_at[newest.job_id] = max(one.occurred_at, last)

    def told(self) -> set[tuple[UUID, str]]:
        """What has public events."""
        return {(job, "read") for job in self.read_at} | {(job, "replied") for job in self.replied_at}


def _is_before(message: DeliveryEvent, one: Receipt) -> bool:
    if message.recipient_id != one.chat_id:
        return False
    if message.telegram_message_id is None:
        return message.occurred_at <= one.occurred_at
    return message.telegram_message_id < one.message_id + (one.kind == "read")


def _keep_earliest(times: dict[UUID, datetime], job: UUID, at: datetime) -> None:
    times[job] = min(at, times.get(job, at))


@st.composite
def stories(draw: st.DrawFn, campaigns: tuple[int, int]) -> list[DeliveryEvent | Receipt]:
    """Some chats in the order of time: messages (some of unknown id), answers, reads."""
    story: list[DeliveryEvent | Receipt] = []
    offset = next(_chats)
    newest = {offset: 0, offset + 1: 0}
    for number in range(draw(st.integers(2, 14))):
        chat = offset + draw(st.integers(0, 1))
        kind = draw(st.sampled_from(["sent", "sent", "unknown", "reply", "read"]))
        if kind == "read" and newest[chat]:
            story.append(receipt("read", newest[chat], chat=chat, seconds=number))
            continue
        newest[chat] = number + 1
        if kind == "reply":
            story.append(receipt("reply", number + 1, chat=chat, seconds=number))
        else:
            known = None if kind == "unknown" else number + 1
            campaign = draw(st.sampled_from(campaigns))
            story.append(sent(known, campaign=campaign, chat=chat, seconds=number, job=uuid4()))
    return story


@st.composite
def arrivals(draw: st.DrawFn, campaigns: tuple[int, int]) -> list[list[DeliveryEvent | Receipt]]:
    """A story as it may arrive: in any order, some of it twice, in batches of any size."""
    story = draw(stories(campaigns))
    again = draw(st.lists(st.sampled_from(story), max_size=4))
    order = draw(st.permutations([*story, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=6)))
    return [list(order[a:b]) for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
