"""One pulled batch, decoded: the rows it makes, and the messages that break the contract."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from nats.aio.msg import Msg
from pydantic import ValidationError

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_log_writer import metrics
from relaygram_log_writer.core.incomplete import salvage
from relaygram_log_writer.core.origin import objection
from relaygram_log_writer.core.projection import fold
from relaygram_log_writer.core.row import Key, Row, row_of


@dataclass(slots=True)
class Batch:
    """What is to be written, and what is to be told to people."""

    messages: Sequence[Msg]
    rows: dict[Key, Row] = field(default_factory=dict)
    told: list[tuple[Msg, Row]] = field(default_factory=list)  # each event with the row it makes
    dead: list[tuple[Msg, str]] = field(default_factory=list)  # with the reason
    newest: datetime | None = None

    def sources(self, row: Row) -> list[tuple[Msg, Row]]:
        """The events behind one of the rows."""
        key = (row.campaign_id, row.job_id)
        return [(message, source) for message, source in self.told if (source.campaign_id, source.job_id) == key]


def decode(messages: Sequence[Msg], *, now: datetime) -> Batch:
    """Fold a batch to one row per message. A poison event never holds up the others."""
    batch = Batch(messages)
    outcomes = Counter(_decode_one(message, batch, now) for message in messages)
    for outcome, events in outcomes.items():
        metrics.EVENTS.labels(outcome).inc(events)
    batch.rows = fold(row for _, row in batch.told)
    return batch


def _decode_one(message: Msg, batch: Batch, now: datetime) -> str:
    """Puts an event where it belongs; what became of it, for the metrics."""
    try:
        event = DeliveryEvent.model_validate_json(message.data)
    except ValidationError as error:
        batch.dead.append((message, _reason(error)))
        salvaged = salvage(message.data, message.subject, received_at=now)
        if salvaged is None:
            return "dead_lettered"
        batch.told.append((message, salvaged))
        return "incomplete"
    why_not = objection(event, message.subject)
    if why_not is not None:
        batch.dead.append((message, why_not))
        return "dead_lettered"
    occurred_at = event.occurred_at
    if batch.newest is None or occurred_at > batch.newest:
        batch.newest = occurred_at
    row = row_of(event)
    if row is None:
        return "no_row"
    batch.told.append((message, row))
    return "row"


def utc_now() -> datetime:
    """The clock, for events that do not say when."""
    return datetime.now(UTC)


def _reason(error: ValidationError) -> str:
    """Which fields are wrong and how; never their values, which may be texts of messages."""
    problems = [
        f"{'.'.join(map(str, problem['loc'])) or 'event'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return f"not a delivery event: {'; '.join(problems[:5])}"
