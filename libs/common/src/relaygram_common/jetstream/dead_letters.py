"""Dead letters: what could not be processed goes to a stream of its own, with why, and the consumer goes on."""

import base64
from datetime import UTC, datetime

import orjson
import structlog
from nats.aio.msg import Msg

from relaygram_common.jetstream.acks import delivery_key
from relaygram_common.jetstream.publisher import Outgoing, WindowPublisher

log = structlog.get_logger(__name__)


async def dead_letter(publisher: WindowPublisher, message: Msg, *, reason: str) -> None:
    """Copy a delivered message to `dead.letter.<stream>`; the caller acknowledges it after. Raises PublishError."""
    key = delivery_key(message)
    stream, _, sequence = key.partition(":")
    body = {
        "stream": stream,
        "sequence": int(sequence),
        "subject": message.subject,
        "headers": dict(message.headers or {}),
        "reason": reason[:2000],
        "payload_base64": base64.b64encode(message.data).decode(),
        "at": datetime.now(UTC),
    }
    # The same message may be judged twice (the acknowledgement was lost): one letter is enough.
    headers = {"Nats-Msg-Id": key, "Relaygram-Reason": " ".join(reason.split())[:200]}
    await publisher.publish([Outgoing(f"dead.letter.{stream}", orjson.dumps(body), headers)])
    log.warning("message.dead_lettered", subject=message.subject, message=key, reason=reason[:300])
