"""NATS: there, new enough, with JetStream and all streams of the topology."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from relaygram_cli.doctor.findings import Installation, NotChecked, Wrong
from relaygram_cli.nats_connection import CannotReachNats, nats_client

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.client import JetStreamContext

_OLDEST = (2, 12)
_SECONDS = 5.0
_PROVISION = "run: relaygram provision"
#: What must be as the topology says; the rest may differ with the server's version.
_COMPARED = (
    "subjects", "retention", "storage", "discard", "max_age", "max_msgs", "max_consumers", "max_msgs_per_subject",
)  # fmt: skip


async def answers(installation: Installation) -> str:
    """A connection is possible."""
    async with _connected(installation) as client:
        return f"nats-server {_version_of(client)} answers"


async def version(installation: Installation) -> str:
    """The oldest that has what the streams use."""
    async with _connected(installation) as client:
        shown = _version_of(client)
    if tuple(int(part) for part in re.findall(r"\d+", shown)[:2]) < _OLDEST:
        raise Wrong(f"{shown} is too old", "use nats-server 2.12 or newer")
    return f"{shown}, at least 2.12"


async def jetstream(installation: Installation) -> str:
    """JetStream is on, and has room."""
    async with _jetstream(installation) as js:
        account = await js.account_info()
    limit = account.limits.max_storage if account.limits.max_storage is not None else -1
    used = account.storage or 0
    if 0 < limit <= used * 1.05:
        raise Wrong(f"{used} of {limit} bytes are used", "give JetStream more storage: it takes no messages when full")
    return f"on, {used / 1024**2:.1f} MiB used"


async def streams(installation: Installation) -> str:
    """Streams, consumers and buckets are as the topology says."""
    from nats.js.errors import NotFoundError

    from relaygram_common.topology import BUCKETS, CONSUMERS, STREAMS

    missing, differing = [], []
    async with _jetstream(installation) as js:
        for wanted in (*STREAMS, *BUCKETS):
            try:
                found = (await js.stream_info(str(wanted.name))).config
            except NotFoundError:
                missing.append(str(wanted.name))
                continue
            differing += [f"{wanted.name}.{field}" for field in _COMPARED if _differs(wanted, found, field)]
        for stream, consumer in CONSUMERS:
            if stream in missing:
                continue
            try:
                await js.consumer_info(stream, str(consumer.durable_name))
            except NotFoundError:
                missing.append(f"{stream}/{consumer.durable_name}")
    if missing:
        raise Wrong(f"missing: {', '.join(missing)}", _PROVISION)
    if differing:
        raise Wrong(f"not as this version of relaygram wants it: {', '.join(differing)}", _PROVISION)
    return f"all {len(STREAMS)} streams, {len(CONSUMERS)} consumers and {len(BUCKETS)} buckets are there"


def _version_of(client: "Client") -> str:
    found = client.connected_server_version
    return f"{found.major}.{found.minor}.{found.patch}"


def _differs(wanted: Any, found: Any, field: str) -> bool:
    value = getattr(wanted, field)
    return value is not None and value != getattr(found, field)


@asynccontextmanager
async def _connected(installation: Installation) -> "AsyncIterator[Client]":
    if installation.nats_url is None:
        raise NotChecked("no address: give --nats-url or RELAYGRAM_NATS_URL")
    try:
        async with nats_client(installation.nats_url, name="relaygram doctor") as client:
            yield client
    except CannotReachNats as error:
        raise Wrong(str(error), "start nats-server, or correct RELAYGRAM_NATS_URL") from None


@asynccontextmanager
async def _jetstream(installation: Installation) -> "AsyncIterator[JetStreamContext]":
    from nats.errors import Error
    from nats.js.errors import NoStreamResponseError, ServiceUnavailableError

    async with _connected(installation) as client:
        try:
            yield client.jetstream(timeout=_SECONDS)
        except (ServiceUnavailableError, NoStreamResponseError):
            raise Wrong("JetStream is off", "start nats-server with -js, or jetstream {} in its file") from None
        except (Error, TimeoutError) as error:
            said = str(error) or type(error).__name__
            raise Wrong(f"JetStream does not answer: {said}", "look into nats-server's log") from None
