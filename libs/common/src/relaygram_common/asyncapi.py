"""The events that subscribers may rely on, as AsyncAPI: `python -m relaygram_common.asyncapi > docs/asyncapi.json`."""

import json
import sys

from faststream.nats import NatsBroker
from faststream.specification import AsyncAPI
from pydantic import BaseModel

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.public_events import AccountEvent, CampaignEvent, ContactEvent, InboundMessage

_EVENTS: tuple[tuple[str, type[BaseModel], str], ...] = (
    (
        "delivery.event.{workspace}.{channel}.{state}.{campaign}",
        DeliveryEvent,
        "What happened to one message. Every event carries the whole row; deduplicate by event_id.",
    ),
    ("campaign.event.{workspace}.{kind}.{campaign}", CampaignEvent, "A campaign changed its state."),
    ("account.event.{workspace}.{kind}.{account}", AccountEvent, "A Telegram account changed its state."),
    ("contact.event.{workspace}.{kind}.{campaign}", ContactEvent, "A contact answered, or asked to be left alone."),
    ("message.inbound.{workspace}.{account}", InboundMessage, "A person wrote to an account."),
)

_FROM_BRIDGES = (
    "delivery.event.{workspace}.{channel}.{state}.0",
    "What happened on a channel other than telegram: published by your own bridge, written into the log as ours are. "
    "The subject says the same workspace, channel and state as the body; campaign_id is null. event_id is the UUIDv5 "
    "of `<state>/<attempt>` in the name space job_id, and the header Nats-Msg-Id `<workspace>.<event_id>`. An event "
    "that breaks this goes to DEAD_LETTERS.",
)


def specification() -> str:
    """The document as JSON."""
    broker = NatsBroker("nats://localhost:4222", description="Relaygram's NATS server")
    subject, description = _FROM_BRIDGES
    broker.subscriber(subject, title="OtherChannels", description=description)(_written)
    for subject, model, description in _EVENTS:
        broker.publisher(subject, schema=model, title=model.__name__, description=description)
    api = AsyncAPI(
        broker,
        title="Relaygram events",
        version="1.0.0",
        schema_version="3.0.0",
        description="CloudEvents 1.0 in binary mode: ce-id, ce-type, ce-source, ce-time travel as headers.",
    )
    return json.dumps(api.to_specification().to_jsonable(), indent=2, sort_keys=True) + "\n"


async def _written(event: DeliveryEvent) -> None:
    """What the log-writer does with it; here it only says what is received."""


if __name__ == "__main__":
    sys.stdout.write(specification())
