"""Asks the stream for jobs: no more than may be sent soon, of each campaign its share."""

from relaygram_telegram_gateway.adapters.nats_jobs import JobFeed
from relaygram_telegram_gateway.adapters.telethon_requests import SEND_MESSAGE
from relaygram_telegram_gateway.core.campaign_states import NO_CAMPAIGN
from relaygram_telegram_gateway.core.turns import shares
from relaygram_telegram_gateway.sending.allowance import Allowance
from relaygram_telegram_gateway.sending.attachments import Attachments
from relaygram_telegram_gateway.sending.recorder import Recorder
from relaygram_telegram_gateway.sending.resolver import Resolver
from relaygram_telegram_gateway.sending.wire import Wire
from relaygram_telegram_gateway.sending.work import Work

# Of a campaign that has ended: nothing is sent for these, so that no limit keeps them.
_SETTLING_AT_ONCE = 20


class Puller:
    """The requests for jobs of one account."""

    def __init__(
        self,
        work: Work,
        wire: Wire,
        recorder: Recorder,
        resolver: Resolver,
        attachments: Attachments,
        allowance: Allowance,
    ) -> None:
        self._work = work
        self._wire = wire
        self._recorder = recorder
        self._resolver = resolver
        self._attachments = attachments
        self._allowance = allowance
        self.feeds: dict[int, JobFeed] = {}
        # Campaigns that have ended, with messages whose outcome is open; and what is no campaign's.
        self.settling: set[int] = set()

    async def pull(self, arrived: int) -> None:
        """Ask for what may be sent soon; `arrived` came already and waits for its admission."""
        feeds = [feed for feed in self.feeds.values() if self._may_pull(feed.campaign_id)]
        if not feeds:
            return
        probing = self._wire.blocks.cold in ("half_open", "probing")
        # Without limits not for a handful at a time: each request is a message too.
        fewest = 1 if self._is_limited() else max(1, self._work.settings.max_in_hand // (8 * len(feeds)))
        for feed, share in zip(feeds, shares(self._budget(arrived), len(feeds)), strict=True):
            if self.settles(feed.campaign_id):
                wanted, least = max(share, _SETTLING_AT_ONCE), 1
            elif probing and feed.campaign_id not in self._wire.answering:
                # One message shows whether Telegram takes more.
                wanted, least = min(share, 1 - self._cold_in_hand), 1
            else:
                wanted, least = share, fewest
            missing = wanted - feed.requested
            if missing >= least:
                await feed.request(missing)

    def settles(self, campaign: int) -> bool:
        """Whether nothing of this campaign is sent any more, and only outcomes are found out."""
        return campaign in self.settling and campaign != NO_CAMPAIGN

    def _may_pull(self, campaign: int) -> bool:
        if campaign in self.settling:
            return True
        wire = self._wire
        is_closed = wire.blocks.cold == "closed" and campaign not in wire.answering
        return self._work.tools.states.runs(campaign) and not is_closed

    def _budget(self, arrived: int) -> int:
        """How many more jobs to have in hand."""
        work, wire = self._work, self._wire
        now, ahead = work.now(), work.settings.pull_ahead_seconds
        if wire.blocks.wait_seconds(SEND_MESSAGE) > ahead:
            return 0
        free = work.settings.max_in_hand - len(work.held)
        # Those whose person is being looked for, or whose file is being uploaded, hold up nobody else.
        waiting = self._resolver.busy + self._attachments.busy + wire.kept_back
        not_begun = len(work.held) - wire.in_flight - self._recorder.open - waiting
        room = wire.window.room(now, ahead)
        if room is not None:
            free = min(free, room - not_begun)
        left = self._allowance.left()
        if left is not None:
            free = min(free, left - len(work.to_admit))
        return max(0, free - arrived)

    @property
    def _cold_in_hand(self) -> int:
        return sum(not held.answers for held in self._work.held.values())

    def _is_limited(self) -> bool:
        limits = self._work.account.limits
        return limits.warm_up or any(n is not None for n in (limits.per_second, limits.per_hour, limits.per_day))
