"""The wiring: what is connected to what, started and stopped in which order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from relaygram_common.runner import Runtime
from relaygram_common.security.sealing import Sealer
from relaygram_common.servers import Servers, connected_servers
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
from relaygram_telegram_gateway.sending.work import Tools
from relaygram_telegram_gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)


@asynccontextmanager
async def build(settings: GatewaySettings, runtime: Runtime) -> AsyncIterator[None]:
    """Start the parts, run, stop them in reverse."""
    if not settings.has_telegram:
        log.warning("telegram.none", missing="RELAYGRAM_TELEGRAM_API_ID and RELAYGRAM_TELEGRAM_API_HASH")
    async with connected_servers(
        settings,
        runtime,
        name="telegram-gateway",
        pool_size=settings.postgres_pool_size,
        needs=lambda jetstream: jetstream.account_info(),
    ) as servers:
        fleet, presence, state_feed = _connected_parts(servers, settings)
        servers.reconnects.listen(state_feed.reconnected)
        servers.reconnects.listen(fleet.reconnected)
        await presence.start()
        await hear_doorbells(servers.client, fleet.wake)
        add_account_commands(servers.broker, client=servers.client, publisher=servers.publisher)
        await servers.broker.start()
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


def _connected_parts(servers: Servers, settings: GatewaySettings) -> tuple[Fleet, Presence, CampaignStateFeed]:
    client, sealer = servers.client, Sealer(settings.secret_keys)
    place = TelegramPlace.from_settings(settings)
    rows, states = AccountRows(servers.pool), CampaignStates()
    leases = LeaseStore(client, settings.instance, LeaseTerms(settings.lease_seconds, settings.lease_margin_seconds))
    presence = Presence(client, settings.instance, accounts=lambda: fleet.load)
    state_feed = CampaignStateFeed(
        client,
        rows,
        states,
        accounts=lambda: fleet.accounts(),
        on_change=lambda: fleet.campaigns_changed(),
        poll_seconds=settings.accounts_poll_seconds,
    )
    tools = Tools(
        settings,
        client,
        servers.publisher,
        servers.pool,
        rows,
        place,
        states,
        state_feed.read_soon,
        phone_of=lambda sealed, campaign: sealer.open(sealed, owner=f"contact-phone:{campaign}"),
        uploads=asyncio.Semaphore(settings.max_uploads),
    )
    fleet = Fleet(
        RunnerTools(leases, sealer, tools), presence, ring=lambda account: client.publish(doorbell_subject(account))
    )
    return fleet, presence, state_feed
