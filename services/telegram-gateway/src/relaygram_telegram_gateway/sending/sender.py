"""One account's sender: its parts, its connection to Telegram, its campaigns."""

import asyncio
import random

import structlog
from nats.errors import Error as NatsError

from relaygram_common.backoff import backoff_seconds
from relaygram_common.jetstream.acks import in_progress
from relaygram_common.tasks import set_or_timeout
from relaygram_telegram_gateway.adapters.nats_jobs import JOB_ERRORS, JobFeed, remove_consumer
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRow
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink, TelegramRefusedError
from relaygram_telegram_gateway.core.campaign_states import NO_CAMPAIGN
from relaygram_telegram_gateway.core.limiter import CompletionWindow
from relaygram_telegram_gateway.core.outcomes import Wait
from relaygram_telegram_gateway.core.telegram_errors import outcome_of
from relaygram_telegram_gateway.metrics import RECONNECTS
from relaygram_telegram_gateway.parts import run_together
from relaygram_telegram_gateway.sending.attachments import Attachments
from relaygram_telegram_gateway.sending.connection_news import ConnectionNews
from relaygram_telegram_gateway.sending.giving_back import give_back
from relaygram_telegram_gateway.sending.intake import Intake
from relaygram_telegram_gateway.sending.lookups import Lookups
from relaygram_telegram_gateway.sending.outcomes import Aftermath
from relaygram_telegram_gateway.sending.recorder import Recorder
from relaygram_telegram_gateway.sending.resolver import Resolver
from relaygram_telegram_gateway.sending.waits import Waits
from relaygram_telegram_gateway.sending.wire import Wire
from relaygram_telegram_gateway.sending.work import TRANSIENT, Work
from relaygram_telegram_gateway.updates.catch_up import CatchUp
from relaygram_telegram_gateway.updates.inbox import Inbox
from relaygram_telegram_gateway.updates.retelling import Retelling

log = structlog.get_logger(__name__)

_OVERDUE_CHECK_SECONDS = 0.25
_REFRESH_SECONDS = 1.0
# A connection that lived this long was a good one: the next loss begins the back-off anew.
_GOOD_CONNECTION_SECONDS = 10.0


class Sender:
    """Sends for an account until cancelled, or until Telegram ends the account (AccountEndedError)."""

    def __init__(self, work: Work, session: str) -> None:
        self.work = work
        self._session = session
        self._aftermath = aftermath = Aftermath(work)
        limits = work.account.limits
        self.recorder = Recorder(work)
        self.wire = Wire(
            work,
            CompletionWindow(limits.per_second, now=work.now()),
            on_outcome=aftermath.follow,
            look_first=lambda held: self.lookups.add(held),
        )
        self.resolver = Resolver(
            work, self.wire, on_found=lambda held: self.intake.send(held), on_outcome=aftermath.follow
        )
        self.attachments = Attachments(work, on_ready=lambda held: self.intake.send(held), on_outcome=aftermath.follow)
        self.lookups = Lookups(work, self.wire, self.recorder, self.attachments, resolve=self.resolver.add)
        self.intake = Intake(work, self.wire, self.recorder, self.resolver, self.lookups, self.attachments)
        aftermath.wire, aftermath.recorder = self.wire, self.recorder
        aftermath.resolver, aftermath.lookups = self.resolver, self.lookups
        aftermath.attachments = self.attachments
        self.inbox = Inbox(work)
        self._news = ConnectionNews(work)
        self._waits = Waits(work, self.wire, self.resolver, self.intake.allowance)
        self._refresh_now = asyncio.Event()
        self._consumers: set[int] = set()  # campaigns that have a consumer
        self.update(work.account)

    def update(self, account: AccountRow) -> None:
        """The account's row as it is now: new limits count from the next send on."""
        self.work.account = account
        self.wire.window.limit = account.limits.per_second
        self.resolver.window.limit = account.limits.resolves_per_minute
        self.campaigns_changed()

    def campaigns_changed(self) -> None:
        """A campaign of ours may have begun, been paused or ended."""
        self._refresh_now.set()
        self.work.wake.set()

    async def reconnected(self) -> None:
        """NATS is back: it forgot what was asked of it."""
        for feed in list(self.intake.pulling.feeds.values()):
            await feed.reconnected()
        self.campaigns_changed()

    async def run(self) -> None:
        """Until cancelled. Raises AccountEndedError or TermLostError."""
        try:
            loads = (self.wire.blocks.load, self.intake.allowance.read, self.resolver.load, self._waits.load)
            for load in (*loads, self.inbox.load):
                await self.work.insist(load)
            await run_together(
                self._stay_connected(),
                self._refresh(),
                self.intake.run(),
                self.recorder.run(),
                self.resolver.run(),
                self.inbox.run(),
                CatchUp(self.work, self.inbox).run(),
                Retelling(self.work, self.inbox).run(),
                self._watch(),
                self._keep_in_hand(),
            )
        finally:
            await self._let_go()

    @property
    def busy(self) -> int:
        """Jobs in hand, and campaigns that may have more."""
        return len(self.work.held) + len(self.intake.pulling.feeds)

    async def finish(self, *, within_seconds: float) -> None:
        """Begin nothing new; let what is on the wire be answered and written down; give the rest back."""
        work = self.work
        work.stopping = True
        for feed in list(self.intake.pulling.feeds.values()):
            await feed.stop()
        try:
            async with asyncio.timeout(within_seconds):
                while self.wire.in_flight:  # noqa: ASYNC110 - it happens once, when the process ends
                    await asyncio.sleep(0.02)
                await self.recorder.drain()
                give_back(work, list(work.held.values()))
                while work.held:  # noqa: ASYNC110 - the same
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log.warning("sender.unfinished", account_id=work.account.id, jobs=len(work.held))

    async def _let_go(self) -> None:
        work = self.work
        await self.lookups.stop()
        await self.attachments.stop()
        while self.intake.pulling.feeds:
            await self.intake.pulling.feeds.popitem()[1].stop()
        self.wire.link_lost()
        await self.recorder.stop()
        await work.stop_background()

    async def _stay_connected(self) -> None:
        """Connect, and connect anew whenever the connection is lost; each time with a client of its own."""
        work, failures = self.work, 0
        while True:
            began = work.now()
            async with TelegramLink(
                work.place, self._session, work.lease.is_valid, updates=self.inbox, state=self.inbox.state
            ) as link:
                try:
                    await link.connect()
                    await self.inbox.connected(link, await link.demand_authorized())
                except (ConnectionError, TelegramRefusedError) as error:
                    self._note_refusal(error)
                    if isinstance(error, ConnectionError):
                        work.in_background(self._news.failed(error))
                else:
                    work.in_background(self._news.connected())
                    await self._use(link)
            failures = 0 if work.now() - began > _GOOD_CONNECTION_SECONDS else failures + 1
            settings = work.settings
            await asyncio.sleep(
                backoff_seconds(
                    max(1, failures),
                    first=settings.reconnect_first_seconds,
                    cap=settings.reconnect_cap_seconds,
                    jitter=random.random(),  # noqa: S311 - jitter
                )
            )

    async def _use(self, link: TelegramLink) -> None:
        work = self.work
        work.link = link
        log.info("telegram.connected", account_id=work.account.id, link=link.number)
        work.wake.set()
        try:
            await link.fence.ended.wait()
        finally:
            if work.link is link:
                work.link = None
            work.last_link_end = work.now()
            self.wire.link_lost()
            self.resolver.link_lost()
            RECONNECTS.inc()
        log.info("telegram.disconnected", account_id=work.account.id, link=link.number)

    def _note_refusal(self, error: Exception) -> None:
        log.warning("telegram.not_connected", account_id=self.work.account.id, error=str(error))
        if isinstance(error, TelegramRefusedError):
            outcome = outcome_of(error.error)
            if isinstance(outcome, Wait) and outcome.scope == "account":
                self.work.end_account(outcome.code, outcome.message)

    async def _watch(self) -> None:
        """Raise what went wrong beside the loops; give up requests that get no answer."""
        work = self.work
        while True:
            await asyncio.sleep(_OVERDUE_CHECK_SECONDS)
            if work.failure is not None:
                raise work.failure
            if work.ended is not None:
                raise work.ended
            self.wire.give_up_overdue()
            self.resolver.give_up_overdue()

    async def _keep_in_hand(self) -> None:
        """Jobs that stay long: tell the server, or it would give them to somebody else."""
        work = self.work
        while True:
            await asyncio.sleep(work.settings.in_progress_seconds)
            oldest = work.now() - work.settings.in_progress_seconds / 2
            try:
                for held in [held for held in work.held.values() if held.since < oldest]:
                    for message in list(held.messages.values()):
                        await in_progress(work.tools.client, message)
            except (NatsError, OSError) as error:
                log.info("jobs.not_kept", account_id=work.account.id, error=str(error) or type(error).__name__)

    async def _refresh(self) -> None:
        """Once a second, and whenever something was heard: usage, campaigns, blocks."""
        work = self.work
        while True:
            self._refresh_now.clear()
            try:
                await self._fit_feeds()
                await self.intake.allowance.read()
                await self.wire.blocks.reopen()
                await self._waits.tell()
            except (*TRANSIENT, *JOB_ERRORS) as error:
                log.info("sender.not_refreshed", account_id=work.account.id, error=str(error) or type(error).__name__)
            await set_or_timeout(self._refresh_now, _REFRESH_SECONDS)

    async def _fit_feeds(self) -> None:
        """A feed for each campaign that runs; its consumer stays while it is paused and goes when it has ended.

        An ended campaign keeps its feed while the outcome of some message is open: its job comes again, and the chat
        tells what became of it.
        """
        work, feeds = self.work, self.intake.pulling.feeds
        opened = await work.ledger.open_campaigns()
        campaigns = {state.campaign_id: state for state in work.tools.states.of_account(work.account.id)}
        settling = self.intake.pulling.settling = opened - campaigns.keys()
        answering = {campaign for campaign, state in campaigns.items() if state.mode == "auto_reply"}
        self.wire.answering = answering | {NO_CAMPAIGN}  # somebody waits for these
        for campaign in list(feeds):
            if campaign not in settling and (campaign not in campaigns or campaigns[campaign].state != "running"):
                await feeds.pop(campaign).stop()
        # A consumer is needed as long as jobs of it are to be acknowledged.
        in_hand = {held.job.campaign_id for held in work.held.values()}
        for campaign in self._consumers - campaigns.keys() - in_hand - settling:
            await remove_consumer(work.tools.client, work.account.id, campaign)
            self._consumers.discard(campaign)
        for campaign, state in campaigns.items():
            if state.state == "running":
                await self._ensure_feed(campaign)
        for campaign in settling:
            await self._ensure_feed(campaign)

    async def _ensure_feed(self, campaign: int) -> None:
        if campaign in self.intake.pulling.feeds:
            return
        feed = JobFeed(self.work.tools.client, self.work.account.id, campaign, self.intake.on_jobs)
        self._consumers.add(campaign)
        await feed.start()
        self.intake.pulling.feeds[campaign] = feed
        self.work.wake.set()
