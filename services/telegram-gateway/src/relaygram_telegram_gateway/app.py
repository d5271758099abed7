"""The wiring: what is connected to what, started and stopped in which order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from relaygram_common.jetstream.connection import Reconnects, connect, make_broker
from relaygram_common.jetstream.publisher import WindowPublisher
from relaygram_common.runner import Runtime
from relaygram_common.security.sealing import Sealer
from relaygram_common.tasks import cancel_and_wait
from relaygram_telegram_gateway.account_runner import RunnerTools
from relaygram_telegram_gateway.adapters.nats_campaign_states import CampaignStateFeed
from relaygram_telegram_gateway.adapters.nats_leases import LeaseStore
from relaygram_telegram_gateway.adapters.nats_presence import Presence
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRows
from relaygram_telegram_gateway.adapters.telethon_client import TelegramPlace
from relaygram_telegram_gateway.core.campaign_states import CampaignStates
from relaygram_telegram_gateway.core.lease_clock import LeaseTerms
from relaygram_telegram_gateway.fleet import Fleet
from relaygram_telegram_gateway.handlers import add_account_commands, doorbell_subject, hear_doorbells
from relaygram_telegram_gateway.health import database_check, nats_check
from relaygram_telegram_gateway.sending.work import Tools
from relaygram_telegram_gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)


@asynccontextmanager
async def build(settings: GatewaySettings, runtime: Runtime) -> AsyncIterator[None]:
    """Start the parts, run, stop them in reverse."""
    place = TelegramPlace.from_settings(settings)
    if not settings.has_telegram:
        log.warning("telegram.none", missing="RELAYGRAM_TELEGRAM_API_ID and RELAYGRAM_TELEGRAM_API_HASH")
    sealer = Sealer(settings.secret_keys)
    reconnects = Reconnects()
    broker = make_broker(settings.nats_url, name=settings.instance, reconnects=reconnects)
    pool = await create_pool(
        settings.postgres_dsn,
        application_name="telegram-gateway",
        workspace=EVERY_WORKSPACE,
        max_size=settings.postgres_pool_size,
    )
    try:
        client = await connect(broker)
        publisher = WindowPublisher(client)
        await publisher.start()
        reconnects.listen(publisher.reconnected)

        rows, states = AccountRows(pool), CampaignStates()
        leases = LeaseStore(
            client, settings.instance, LeaseTerms(settings.lease_seconds, settings.lease_margin_seconds)
        )
        presence = Presence(client, settings.instance, accounts=lambda: fleet.load)
        state_feed = CampaignStateFeed(
            client, rows, states,
            accounts=lambda: fleet.accounts(),
            on_change=lambda: fleet.campaigns_changed(),
            poll_seconds=settings.accounts_poll_seconds,
        )  # fmt: skip
        tools = Tools(
            settings, client, publisher, pool, rows, place, states, state_feed.read_soon,
            phone_of=lambda sealed, campaign: sealer.open(sealed, owner=f"contact-phone:{campaign}"),
            uploads=asyncio.Semaphore(settings.max_uploads),
        )  # fmt: skip
        fleet = Fleet(
            RunnerTools(leases, sealer, tools), presence,
            ring=lambda account: client.publish(doorbell_subject(account)),
        )  # fmt: skip
        reconnects.listen(state_feed.reconnected)
        reconnects.listen(fleet.reconnected)
        runtime.health.add("nats", nats_check(client))
        runtime.health.add("postgres", database_check(pool))

        await presence.start()
        await hear_doorbells(client, fleet.wake)
        add_account_commands(broker, client=client, publisher=publisher)
        await broker.start()
        runtime.spawn(presence.run(), name="presence")
        runtime.spawn(state_feed.run_watch(), name="campaign-state-watch")
        runtime.spawn(state_feed.run_poll(), name="campaign-state-poll")
        accounts = runtime.spawn(fleet.run(), name="accounts")
        try:
            yield
        finally:
            await cancel_and_wait([accounts])
            await presence.stop()  # first: nobody is to hand anything to us any more
            await fleet.close(within_seconds=settings.shutdown_seconds / 2)
            await publisher.stop()
    finally:
        await broker.stop()
        pool.terminate()
