"""What the dispatcher publishes: delivery events and send jobs. It returns when the server has stored them."""

from collections.abc import Sequence

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.jobs import SendJob
from relaygram_common.jetstream.publisher import Outgoing, WindowPublisher


class NatsOut:
    """Both raise PublishError when the server does not take everything; repeating is harmless."""

    def __init__(self, publisher: WindowPublisher) -> None:
        self._publisher = publisher

    async def events(self, events: Sequence[DeliveryEvent]) -> None:
        """To DELIVERY_EVENTS, public, with CloudEvents headers."""
        await self._publisher.publish([_event(event) for event in events])

    async def jobs(self, jobs: Sequence[SendJob]) -> None:
        """To SEND_JOBS, without message ids: the server forgets them, admission does not."""
        await self._publisher.publish([Outgoing(job.subject, job.model_dump_json().encode()) for job in jobs])


def _event(event: DeliveryEvent) -> Outgoing:
    return Outgoing(event.subject, event.model_dump_json().encode(), event.headers)
