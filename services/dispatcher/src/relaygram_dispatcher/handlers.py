"""The dispatcher's doors: commands and the log ring, the rows decide."""

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import ValidationError

from relaygram_common.contracts.doorbells import CampaignCommand
from relaygram_common.jetstream.dead_letters import dead_letter
from relaygram_common.jetstream.publisher import PublishError, WindowPublisher
from relaygram_common.topology import CAMPAIGN_COMMANDS, DISPATCHER
from relaygram_dispatcher.runs import RunLoop
from relaygram_dispatcher.schedule import Schedule

_AGAIN_SECONDS = 1.0
_MOST_DIGITS = 20


def subscribe(broker: NatsBroker, publisher: WindowPublisher, runs: RunLoop, schedule: Schedule) -> None:
    """Listen to CAMPAIGN_COMMANDS; call before the broker starts."""

    @broker.subscriber(
        "campaign.command.>",
        durable=DISPATCHER,
        stream=JStream(CAMPAIGN_COMMANDS, declare=False),
        pull_sub=PullSub(batch_size=20, timeout=5.0),
        ack_policy=AckPolicy.MANUAL,  # each other policy loses messages or turns in circles when something fails
        decoder=raw,
    )
    async def on_command(payload: bytes, message: NatsMessage) -> None:
        try:
            CampaignCommand.model_validate_json(payload)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
            reason = f"not a campaign command: {'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}"
            try:
                await dead_letter(publisher, message.raw_message, reason=reason)
            except PublishError:
                await message.nack(delay=_AGAIN_SECONDS)
                return
        else:
            runs.wake()
            schedule.wake()
        await message.ack()


async def listen_to_log(client: Client, runs: RunLoop) -> None:
    """The log-writer rings after each commit; a bell that is not heard is made up for by the next look."""

    async def on_bell(message: Msg) -> None:
        campaign = message.subject.rsplit(".", 1)[-1]
        if campaign.isascii() and campaign.isdigit() and len(campaign) < _MOST_DIGITS:
            runs.log_changed(int(campaign))

    await client.subscribe("log.changed.*", cb=on_bell)


async def raw(message: NatsMessage) -> bytes:
    """What fails validation must reach the handler too, so that it gets to DEAD_LETTERS."""
    return message.body if isinstance(message.body, bytes) else bytes(message.body)
