"""Dead letters: what could not be processed goes to a stream of its own, with why, and the consumer goes on."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
import structlog
from nats.aio.msg import Msg

from relaygram_common.jetstream.acks import delivery_key
from relaygram_common.jetstream.publisher import Outgoing, WindowPublisher

log = structlog.get_logger(__name__)


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
        "payload_base64": base64.b64encode(payload).decode(),
        "at": datetime.now(UTC),
    }
    # The same message may be judged twice (the acknowledgement was lost): one letter is enough.
    letter_headers = {"Nats-Msg-Id": key, "Relaygram-Reason": " ".join(reason.split())[:200]}
    await publisher.publish([Outgoing(f"dead.letter.{stream}", orjson.dumps(body), letter_headers)])
    log.warning("message.dead_lettered", subject=subject, message=key, reason=reason[:300])
