"""One pulled batch, decoded: the rows it makes, and the messages that break the contract."""

from collections import defaultdict
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
    rows: dict[Key, Row]
    sources: dict[Key, list[tuple[Msg, Row]]]  # the events behind a row
    dead: list[tuple[Msg, str]] = field(default_factory=list)  # with the reason
    newest: datetime | None = None


def decode(messages: Sequence[Msg], *, now: datetime) -> Batch:
    """Fold a batch to one row per message. A poison event never holds up the others."""
    rows: list[Row] = []
    sources: dict[Key, list[tuple[Msg, Row]]] = defaultdict(list)
    batch = Batch(messages, {}, sources)
    for message in messages:
        row: Row | None = None
        try:
            event = DeliveryEvent.model_validate_json(message.data)
        except ValidationError as error:
            row = salvage(message.data, message.subject, received_at=now)
            batch.dead.append((message, _reason(error)))
            metrics.EVENTS.labels("incomplete" if row else "dead_lettered").inc()
        else:
            why_not = objection(event, message.subject)
            if why_not is None:
                row = row_of(event)
                batch.newest = max(batch.newest or event.occurred_at, event.occurred_at)
                metrics.EVENTS.labels("row" if row else "no_row").inc()
            else:
                batch.dead.append((message, why_not))
                metrics.EVENTS.labels("dead_lettered").inc()
        if row is not None:
            rows.append(row)
            sources[row.campaign_id, row.job_id].append((message, row))
    batch.rows = fold(rows)
    return batch


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
