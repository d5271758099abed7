"""The doors of the gateway: account commands from the stream, doorbells between gateways."""

from collections.abc import Callable

import structlog
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from pydantic import ValidationError

from relaygram_common.contracts.doorbells import AccountCommand
from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.jetstream.dead_letters import dead_letter
from relaygram_common.jetstream.publisher import PublishError, WindowPublisher
from relaygram_common.topology import ACCOUNT_COMMANDS, TELEGRAM_GATEWAY
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRows

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 2.0
# The only verb that says something the row does not.
_RESEND_CODE = "account.command.resend_code."


def doorbell_subject(account_id: int | str) -> str:
    """Every gateway hears it, whoever took the command from the stream."""
    return f"account.doorbell.{account_id}"


def add_account_commands(broker: NatsBroker, *, client: Client, publisher: WindowPublisher, rows: AccountRows) -> None:
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
            if raw.subject.startswith(_RESEND_CODE):
                await rows.ask_for_another_code(command.workspace_id, command.account_id)
        except TRANSIENT_ERRORS as error:
            log.info("account_command.delayed", error=str(error) or type(error).__name__)
            await message.nack(delay=_RETRY_SECONDS)
            return
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
