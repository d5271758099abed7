"""An event that breaks the contract, but whose message can be told: its row gets what is readable.

Otherwise a message would stay pending for ever because somebody put a wrong price on it.
"""

import json
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_log_writer.core.origin import objection
from relaygram_log_writer.core.row import Row, row_of

LOG_INCOMPLETE = "LOG_INCOMPLETE"
# Without these nobody knows which row is meant, whose it is, or what became of it.
_IDENTITY = ("job_id", "campaign_id", "workspace_id", "state")
_DEEPEST = 20


def salvage(payload: bytes, subject: str, *, received_at: datetime) -> Row | None:
    """The row of a refused event, without its unreadable fields; None when it names no message or changes none, or is
    not what its subject says."""
    try:
        read = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or any(name not in read for name in _IDENTITY):
        return None
    fields = {name: value for name, value in read.items() if _storable(value)}
    wrong = {*read} - {*fields} | _refused(fields)
    if wrong & {*_IDENTITY}:
        return None
    fields = {name: value for name, value in fields.items() if name not in wrong}
    # The row has no use for an event's id; the other two it can not do without.
    defaults = {"event_id": fields["job_id"], "attempt": 0, "occurred_at": received_at}
    try:
        event = DeliveryEvent.model_validate({**defaults, **fields})
    except ValidationError:
        return None
    row = None if objection(event, subject) else row_of(event)
    return row and _incomplete(row, f"not readable in its event: {', '.join(sorted(wrong))}")


def bare(row: Row, *, why: str) -> Row:
    """Only which message it is and how it stands: for a row that PostgreSQL refuses."""
    empty = row._replace(sender=None, destination=None, body=None, content_type=None)
    return _incomplete(empty._replace(reference=None, entity_id=None, application_id=None, price=None), why)


def _incomplete(row: Row, why: str) -> Row:
    return row._replace(error_code=LOG_INCOMPLETE, error_message=why[:500], error_permanent=True)


def _refused(fields: dict[str, Any]) -> set[str]:
    try:
        DeliveryEvent.model_validate(fields)
    except ValidationError as error:
        return {str(problem["loc"][0]) for problem in error.errors(include_url=False) if problem["loc"]}
    return set()


def _storable(value: Any, depth: int = 0) -> bool:
    """PostgreSQL takes no NUL in texts, UTF-8 no lone surrogate."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return depth < _DEEPEST and all(_storable(key) and _storable(inner, depth + 1) for key, inner in value.items())
    if isinstance(value, list):
        return depth < _DEEPEST and all(_storable(inner, depth + 1) for inner in value)
    return True
