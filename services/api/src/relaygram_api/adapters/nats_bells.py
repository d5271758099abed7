"""The doorbell of the log over NATS: which campaign has something new."""

from collections.abc import Callable
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

SUBJECT: Final = "log.changed.*"
# Rings that come faster than they are heard are dropped: who is rung for looks for all that is new.
_MOST_PENDING: Final = 10_000


async def listen(client: Client, ring: Callable[[int], None]) -> None:
    """Call `ring` with a campaign's id whenever its log has changed, as long as the connection lives.

    The revision that is told along is nobody's concern: what is new is asked of PostgreSQL.
    """

    async def rung(message: Msg) -> None:
        campaign_id = message.subject.rpartition(".")[2]
        if campaign_id.isascii() and campaign_id.isdecimal():
            ring(int(campaign_id))

    await client.subscribe(SUBJECT, cb=rung, pending_msgs_limit=_MOST_PENDING)
