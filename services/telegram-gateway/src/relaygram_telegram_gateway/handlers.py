"""The doors of the gateway: account commands from the stream, doorbells between gateways."""

from collections.abc import Callable

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from pydantic import ValidationError

from relaygram_common.contracts.doorbells import AccountCommand
from relaygram_common.jetstream.dead_letters import dead_letter
from relaygram_common.jetstream.publisher import PublishError, WindowPublisher
from relaygram_common.topology import ACCOUNT_COMMANDS, TELEGRAM_GATEWAY

_RETRY_SECONDS = 2.0


def doorbell_subject(account_id: int | str) -> str:
    """Every gateway hears it, whoever took the command from the stream."""
    return f"account.doorbell.{account_id}"


def add_account_commands(broker: NatsBroker, *, client: Client, publisher: WindowPublisher) -> None:
    """One gateway takes the command and rings for all; the row decides, so a lost ring costs a second at most."""

    @broker.subscriber(
        "account.command.>",
        durable=TELEGRAM_GATEWAY,
        stream=JStream(ACCOUNT_COMMANDS, declare=False),
        pull_sub=PullSub(batch_size=50, timeout=1.0),
        ack_policy=AckPolicy.MANUAL,
        title="account commands",
        description="An account's row changed: its gateway looks at it now.",
    )
    async def on_account_command(message: NatsMessage) -> None:
        raw = message.raw_message
        try:
            command = AccountCommand.model_validate_json(raw.data)
        except ValidationError as error:
            problem = error.errors()[0]
            try:
                await dead_letter(publisher, raw, reason=f"no account command: {problem['loc']}: {problem['msg']}")
            except PublishError:
                await message.nack(delay=_RETRY_SECONDS)
                return
        else:
            await client.publish(doorbell_subject(command.account_id))
        await message.ack()


async def hear_doorbells(client: Client, ring: Callable[[], None]) -> Subscription:
    """Call `ring` whenever any account's row changed."""

    async def on_ring(_: Msg) -> None:
        ring()

    return await client.subscribe(doorbell_subject("*"), cb=on_ring)
