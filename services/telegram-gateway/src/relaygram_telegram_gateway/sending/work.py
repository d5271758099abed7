"""What the parts of one account's sender share: the jobs in hand, the connection, what the account may do now."""

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from relaygram_common.backoff import backoff_seconds
from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_common.jetstream.publisher import PublishError, WindowPublisher
from relaygram_common.tasks import cancel_and_wait
from relaygram_telegram_gateway.adapters.nats_leases import Lease
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRow, AccountRows
from relaygram_telegram_gateway.adapters.pg_ledger import Ledger
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink, TelegramPlace
from relaygram_telegram_gateway.core.campaign_states import CampaignStates
from relaygram_telegram_gateway.sending.held import Held
from relaygram_telegram_gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)
T = TypeVar("T")

# PostgreSQL or NATS is away: trying again may help.
TRANSIENT: tuple[type[BaseException], ...] = (*TRANSIENT_ERRORS, PublishError, NatsError)
# Longer than any job stays in hand.
_HEARD_SECONDS, _MAX_HEARD = 3600.0, 2000


class AccountEndedError(Exception):
    """Telegram no longer serves this account: `code` and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Tools:
    """What all senders of this process use."""

    settings: GatewaySettings
    client: Client
    publisher: WindowPublisher
    pool: "asyncpg.Pool[asyncpg.Record]"
    rows: AccountRows
    place: TelegramPlace
    states: CampaignStates
    read_states: Callable[[], None]  # from PostgreSQL, now rather than at the next second
    phone_of: Callable[[bytes, int], str]  # opens a sealed phone of a contact of that campaign
    uploads: asyncio.Semaphore  # files that are uploaded at the same time, each with a piece in memory


class Work:
    """One account's jobs in hand."""

    def __init__(
        self, tools: Tools, account: AccountRow, place: TelegramPlace, ledger: Ledger, lease: Lease, term: int
    ) -> None:
        self.tools = tools
        self.account = account
        self.place = place
        self.ledger = ledger
        self.lease = lease
        self.term = term
        self.link: TelegramLink | None = None
        self.last_link_end = float("-inf")
        self.held: dict[UUID, Held] = {}
        self.to_admit: list[Held] = []
        self.stopping = False  # nothing new is begun any more
        self.ended: AccountEndedError | None = None
        self.wake = asyncio.Event()
        self._heard: dict[int, float] = {}  # who wrote, and when that was noted
        self._later: list[tuple[float, int, Held]] = []
        self._order = itertools.count()
        self.loop = asyncio.get_running_loop()
        self._background: set[asyncio.Task[Any]] = set()
        self.failure: BaseException | None = None  # of a task in the background

    @property
    def settings(self) -> GatewaySettings:
        """The process's settings."""
        return self.tools.settings

    def now(self) -> float:
        """The event loop's clock."""
        return self.loop.time()

    def admit_again(self, held: Held, *, after_seconds: float = 0.0) -> None:
        """Everything that decides about the job is read anew before its next attempt."""
        if after_seconds > 0:
            heapq.heappush(self._later, (self.now() + after_seconds, next(self._order), held))
            self.loop.call_later(after_seconds, self.wake.set)
        else:
            self.to_admit.append(held)
            self.wake.set()

    def take_due(self) -> list[Held]:
        """Jobs whose pause is over, and those that need none."""
        now = self.now()
        while self._later and self._later[0][0] <= now:
            self.to_admit.append(heapq.heappop(self._later)[2])
        due, self.to_admit = self.to_admit, []
        return due

    def note_heard(self, people: Iterable[int]) -> None:
        """These people have written; what was admitted for them before is to be judged again."""
        now = self.now()
        if len(self._heard) > _MAX_HEARD:
            self._heard = {person: at for person, at in self._heard.items() if at > now - _HEARD_SECONDS}
        self._heard |= dict.fromkeys(people, now)

    def has_heard_from(self, person: int, *, since: float) -> bool:
        """Whether the person has written after that."""
        return self._heard.get(person, float("-inf")) >= since

    def drop(self, held: Held) -> None:
        """Out of our hands."""
        self.held.pop(held.job.job_id, None)

    def end_account(self, code: str, message: str) -> None:
        """Telegram no longer serves the account; the sender stops."""
        if self.ended is None:
            self.ended = AccountEndedError(code, message)
        self.wake.set()

    @property
    def sender_name(self) -> str | None:
        """How the account is shown in events."""
        if self.account.handle:
            return f"@{self.account.handle}"
        return None if self.account.telegram_user_id is None else str(self.account.telegram_user_id)

    async def insist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Until it works: what Telegram answered must be written down, and nothing else may be done with the job."""
        failures = 0
        while True:
            try:
                return await act()
            except TRANSIENT as error:
                failures += 1
                log.warning("write.delayed", account_id=self.account.id, error=str(error) or type(error).__name__)
                await asyncio.sleep(backoff_seconds(failures, first=0.05, cap=2.0, jitter=random.random()))  # noqa: S311 - jitter

    def in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something short beside the loops; if it fails, the sender ends by its error."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = error
            self.wake.set()

    async def stop_background(self) -> None:
        """Cancel what runs beside."""
        await cancel_and_wait(list(self._background))
