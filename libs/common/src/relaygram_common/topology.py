"""Every stream, consumer and KV bucket, as data, and the one idempotent command that makes them so."""

import nats
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

_HOUR = 3600.0
_DAY = 24 * _HOUR

CAMPAIGN_COMMANDS = "CAMPAIGN_COMMANDS"
ACCOUNT_COMMANDS = "ACCOUNT_COMMANDS"
SEND_JOBS = "SEND_JOBS"
DELIVERY_EVENTS = "DELIVERY_EVENTS"
CAMPAIGN_EVENTS = "CAMPAIGN_EVENTS"
ACCOUNT_EVENTS = "ACCOUNT_EVENTS"
CONTACT_EVENTS = "CONTACT_EVENTS"
INBOUND_MESSAGES = "INBOUND_MESSAGES"
RECEIPTS = "RECEIPTS"
DEAD_LETTERS = "DEAD_LETTERS"

ACCOUNT_LEASES = "account_leases"
CAMPAIGN_STATE = "campaign_state"

# The dispatcher's and the log-writer's; the gateway makes one consumer for each running account × campaign itself.
DISPATCHER = "dispatcher"
LOG_WRITER = "log-writer"
TELEGRAM_GATEWAY = "telegram-gateway"


def _log(name: str, subject: str, description: str, *, max_age: float) -> StreamConfig:
    return StreamConfig(
        name=name,
        subjects=[subject],
        description=description,
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=max_age,
        duplicate_window=120,
        allow_direct=True,
    )


STREAMS: tuple[StreamConfig, ...] = (
    _log(CAMPAIGN_COMMANDS, "campaign.command.>", "Doorbells: a campaign's row changed", max_age=_HOUR),
    _log(ACCOUNT_COMMANDS, "account.command.>", "Doorbells: an account's row changed", max_age=_HOUR),
    StreamConfig(
        name=SEND_JOBS,
        subjects=["send.job.>"],
        description="One message to one person each; ids only",
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,  # a full stream is back-pressure on the dispatcher
        max_msgs=5_000_000,
        max_consumers=20_000,  # without a number the server allows 1,000
        duplicate_window=120,
        allow_direct=True,
    ),
    _log(DELIVERY_EVENTS, "delivery.event.>", "What happened to each message; public", max_age=14 * _DAY),
    _log(CAMPAIGN_EVENTS, "campaign.event.>", "What happened to campaigns; public", max_age=14 * _DAY),
    _log(ACCOUNT_EVENTS, "account.event.>", "What happened to Telegram accounts; public", max_age=14 * _DAY),
    _log(CONTACT_EVENTS, "contact.event.>", "What contacts did; public", max_age=14 * _DAY),
    _log(INBOUND_MESSAGES, "message.inbound.>", "Messages from people; public", max_age=14 * _DAY),
    _log(RECEIPTS, "receipt.>", "Read and reply receipts; private", max_age=14 * _DAY),
    _log(DEAD_LETTERS, "dead.letter.>", "What could not be processed, with why", max_age=30 * _DAY),
)


def _consumer(name: str, *, ack_wait: float, max_ack_pending: int) -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=name,
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL,
        ack_wait=ack_wait,
        max_deliver=-1,
        max_ack_pending=max_ack_pending,
        max_waiting=512,
    )


CONSUMERS: tuple[tuple[str, ConsumerConfig], ...] = (
    (CAMPAIGN_COMMANDS, _consumer(DISPATCHER, ack_wait=5, max_ack_pending=1_000)),
    (ACCOUNT_COMMANDS, _consumer(TELEGRAM_GATEWAY, ack_wait=5, max_ack_pending=1_000)),
    (DELIVERY_EVENTS, _consumer(LOG_WRITER, ack_wait=5, max_ack_pending=20_000)),
    (RECEIPTS, _consumer(LOG_WRITER, ack_wait=5, max_ack_pending=20_000)),
    (INBOUND_MESSAGES, _consumer(DISPATCHER, ack_wait=5, max_ack_pending=1_000)),
)


def _bucket(name: str, description: str) -> StreamConfig:
    return StreamConfig(
        name=f"KV_{name}",
        subjects=[f"$KV.{name}.>"],
        description=description,
        max_msgs_per_subject=1,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        allow_rollup_hdrs=True,
        deny_delete=True,
        allow_direct=True,
        allow_msg_ttl=True,  # a lease is a key that dies by itself
        subject_delete_marker_ttl=1.0,  # and leaves a marker, so that watchers hear of it
        duplicate_window=120,
    )


BUCKETS: tuple[StreamConfig, ...] = (
    _bucket(ACCOUNT_LEASES, "Which gateway runs which account"),
    _bucket(CAMPAIGN_STATE, "<account>.<campaign>: state and version, for the gateways"),
)


def job_consumer_name(account_id: int, campaign_id: int) -> str:
    """The durable of one account × campaign."""
    return f"job-{account_id}-{campaign_id}"


def job_consumer(account_id: int, campaign_id: int) -> ConsumerConfig:
    """The consumer that the account's lease holder makes on SEND_JOBS and removes when the campaign has ended."""
    config = _consumer(job_consumer_name(account_id, campaign_id), ack_wait=5, max_ack_pending=5_000)
    return config.evolve(filter_subject=f"send.job.{account_id}.{campaign_id}")


async def provision(nats_url: str, replicas: int = 1) -> None:
    """Make what is missing and update what differs. Raises ConnectionError when there is no server."""
    try:
        client = await nats.connect(
            nats_url.split(","),
            connect_timeout=5,
            allow_reconnect=False,
            max_reconnect_attempts=1,  # counts for the first connection too: the default 60 is two minutes
            reconnect_time_wait=0.2,
            error_cb=_quiet,
        )
    except (OSError, nats.errors.Error) as error:
        raise ConnectionError(f"no NATS server answers: {error or type(error).__name__}") from error
    try:
        await provision_on(client.jetstream(timeout=10), replicas)
    finally:
        await client.close()


async def provision_on(js: JetStreamContext, replicas: int = 1) -> None:
    """The same over an open connection."""
    for stream in (*STREAMS, *BUCKETS):
        config = stream.evolve(num_replicas=replicas)
        try:
            await js.update_stream(config)
        except NotFoundError:
            await js.add_stream(config)
    for stream_name, consumer in CONSUMERS:
        await js.add_consumer(stream_name, consumer)


async def _quiet(_: Exception) -> None:
    """The caller gets the error; nats-py's default would print a traceback as well."""
