"""Dead letters: what could not be processed goes to a stream of its own, with why, and the consumer goes on."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from nats.aio.msg import Msg

from relaygram_common.jetstream.acks import delivery_key
from relaygram_common.jetstream.publisher import Outgoing, WindowPublisher

log = structlog.get_logger(__name__)

# The letter's own headers, and what its text may grow by on the way.
_RESERVED_BYTES = 4096
_LONGEST_HEADERS = 64 * 1024


async def dead_letter(publisher: WindowPublisher, message: Msg, *, reason: str) -> None:
    """Copy a delivered message to `dead.letter.<stream>`; the caller acknowledges it after. Raises PublishError."""
    stream, _, sequence = delivery_key(message).partition(":")
    await dead_letter_stored(
        publisher,
        stream=stream,
        sequence=int(sequence),
        subject=message.subject,
        headers=message.headers,
        payload=message.data,
        reason=reason,
    )


async def dead_letter_stored(
    publisher: WindowPublisher,
    *,
    stream: str,
    sequence: int,
    subject: str,
    headers: Mapping[str, str] | None,
    payload: bytes,
    reason: str,
) -> None:
    """Copy a message that rests in a stream; the caller deletes it after. Raises PublishError."""
    key = f"{stream}:{sequence}"
    body = {
        "stream": stream,
        "sequence": sequence,
        "subject": subject,
        "headers": dict(headers or {}),
        "reason": reason[:2000],
        "at": datetime.now(UTC),
    }
    letter = _letter(body, payload, largest=publisher.largest_payload)
    # The same message may be judged twice (the acknowledgement was lost): one letter is enough.
    letter_headers = {"Nats-Msg-Id": key, "Relaygram-Reason": " ".join(reason.split())[:200]}
    await publisher.publish([Outgoing(f"dead.letter.{stream}", letter, letter_headers)])
    log.warning("message.dead_lettered", subject=subject, message=key, reason=reason[:300])


def _letter(body: dict[str, Any], payload: bytes, *, largest: int) -> bytes:
    """As much of the message as the server takes: a message near its bound would not fit in here with its reason, and
    who can not write the letter stands still."""
    is_whole = True
    if len(orjson.dumps(body["headers"])) > _LONGEST_HEADERS:
        body, is_whole = {**body, "headers": {}}, False
    room = (largest - len(orjson.dumps(body)) - _RESERVED_BYTES) // 4 * 3
    kept = payload[: max(room, 0)]
    is_whole = is_whole and len(kept) == len(payload)
    encoded = base64.b64encode(kept).decode()
    return orjson.dumps({**body, "payload_base64": encoded, "payload_bytes": len(payload), "is_whole": is_whole})
