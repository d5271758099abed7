"""The files of one account's messages: uploaded once, beside the sends of other messages, and referred to from then on.

A message whose file is not there yet waits here. When an upload is through, the messages that waited are admitted anew:
nothing leaves on the strength of what was true before.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from relaygram_common.backoff import backoff_seconds
from relaygram_common.tasks import cancel_and_wait
from relaygram_telegram_gateway.adapters.pg_media import MediaRows, UploadedMedia
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink, TelegramRefusedError
from relaygram_telegram_gateway.adapters.telethon_media import DamagedFileError, upload
from relaygram_telegram_gateway.core.outcomes import Outcome, Refused, Wait
from relaygram_telegram_gateway.core.retries import MAX_NETWORK_RETRIES
from relaygram_telegram_gateway.core.telegram_errors import outcome_of
from relaygram_telegram_gateway.metrics import UPLOADS
from relaygram_telegram_gateway.sending.giving_back import MAX_GIVEN_BACK_SECONDS, give_back, put_off
from relaygram_telegram_gateway.sending.held import Held
from relaygram_telegram_gateway.sending.work import TRANSIENT, Work

log = structlog.get_logger(__name__)

_MAX_WAITING = 50
_GIVEN_BACK_SECONDS = 2.0
_MAX_KNOWN = 1000
_RETRY_CAP_SECONDS = 30.0
_WORTH_ANOTHER_TRY: tuple[type[BaseException], ...] = (ConnectionError, *TRANSIENT)
_GONE = Refused("MEDIA_GONE", "The file of this message no longer exists.", pauses_campaign=True)
_DAMAGED = Refused("MEDIA_GONE", "The stored file of this message is damaged.", pauses_campaign=True)


@dataclass(slots=True)
class _Wanted:
    """A file that some messages wait for."""

    jobs: list[Held] = field(default_factory=list)
    stale: set[bytes] = field(default_factory=set)  # references that Telegram no longer takes
    not_before: float = 0.0
    failures: int = 0
    task: "asyncio.Task[None] | None" = None


class Attachments:
    """What the messages of one account carry."""

    def __init__(
        self, work: Work, *, on_ready: Callable[[Held], None], on_outcome: Callable[[Held, Outcome], None]
    ) -> None:
        self._work = work
        self._rows = MediaRows(work.tools.pool, work.tools.rows, work.account, work.term)
        self._on_ready = on_ready
        self._on_outcome = on_outcome
        self._known: dict[int, UploadedMedia] = {}
        self._wanted: dict[int, _Wanted] = {}

    @property
    def busy(self) -> int:
        """Messages that wait for a file."""
        return sum(len(wanted.jobs) for wanted in self._wanted.values())

    def attach(self, held: Held) -> bool:
        """Whether the message has its file (or needs none); one that has not comes back when it has."""
        if held.media_id is None:
            return True
        known = self._known.get(held.media_id)
        if known is not None:
            held.file = known
            return True
        wanted = self._wanted.setdefault(held.media_id, _Wanted())
        pause = wanted.not_before - self._work.now()
        if pause > self._work.settings.hold_seconds or len(wanted.jobs) >= _MAX_WAITING:
            give_back(self._work, [held], delay_seconds=min(max(pause, _GIVEN_BACK_SECONDS), MAX_GIVEN_BACK_SECONDS))
        else:
            wanted.jobs.append(held)
            self.pump()
        return False

    def refresh(self, held: Held) -> None:
        """Telegram no longer takes the reference by which this message was sent: once, the file is uploaded anew."""
        media_id, stale = held.media_id, held.file
        if media_id is None or stale is None:
            raise RuntimeError(f"job {held.job.job_id} has no file")
        held.was_refreshed = True
        held.file = None
        known = self._known.get(media_id)
        if known is not None and known.file_reference != stale.file_reference:
            put_off(self._work, held, 0.0)  # another message saw to it already
            return
        self._known.pop(media_id, None)
        wanted = self._wanted.setdefault(media_id, _Wanted())
        wanted.stale.add(stale.file_reference)
        wanted.jobs.append(held)
        self.pump()

    async def telegram_ids(self, media_id: int) -> frozenset[int]:
        """By which ids the file may be found in a chat."""
        return await self._rows.telegram_ids(media_id)

    def pump(self) -> None:
        """Begin what may begin now; called again and again."""
        work = self._work
        if not self._wanted or work.link is None or work.stopping or work.ended is not None:
            return
        for media_id, wanted in list(self._wanted.items()):
            self._let_go_of_ended(wanted)
            if wanted.task is not None or wanted.not_before > work.now():
                continue
            if wanted.jobs:
                wanted.task = asyncio.create_task(self._bring(media_id, wanted, work.link), name="upload")
                wanted.task.add_done_callback(self._done)
            else:
                del self._wanted[media_id]

    def _let_go_of_ended(self, wanted: _Wanted) -> None:
        """A pause or a stop is not to wait for an upload: admission says what becomes of such messages."""
        jobs, wanted.jobs = wanted.jobs, []
        for held in jobs:
            if self._work.held.get(held.job.job_id) is not held:
                continue  # given back meanwhile
            if self._work.tools.states.runs(held.job.campaign_id):
                wanted.jobs.append(held)
            else:
                self._work.in_background(self._admit_anew(held))

    async def stop(self) -> None:
        """Let go of everything."""
        await cancel_and_wait([wanted.task for wanted in self._wanted.values() if wanted.task is not None])

    def _done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._work.failure = error
        self._work.wake.set()

    async def _bring(self, media_id: int, wanted: _Wanted, link: TelegramLink) -> None:
        """One try; when it fails, pump() begins another one after a pause."""
        try:
            found = await self._rows.uploaded(media_id)
            if found is not None and found.file_reference not in wanted.stale:
                self._ready(media_id, found, uploaded=False)
                return
            async with self._work.tools.uploads:
                outcome = await self._upload(media_id, wanted, link)
            if isinstance(outcome, UploadedMedia):
                self._ready(media_id, outcome, uploaded=True)
            else:
                self._refuse(media_id, outcome)
        except TelegramRefusedError as error:
            self._refused(media_id, wanted, outcome_of(error.error))
        except _WORTH_ANOTHER_TRY as error:
            is_alive = isinstance(error, ConnectionError) and self._work.link is link
            self._failed(media_id, wanted, str(error) or type(error).__name__, counts=is_alive)
        finally:
            wanted.task = None

    async def _upload(self, media_id: int, wanted: _Wanted, link: TelegramLink) -> UploadedMedia | Refused:
        work = self._work
        file = await self._rows.file(media_id)
        if file is None:
            return _GONE
        if not wanted.jobs:
            raise ConnectionError("nobody waits for it any more")
        peer = wanted.jobs[0].target if work.account.is_bot else None
        timeout = work.settings.telegram_timeout_seconds
        began = work.now()
        try:
            made = await upload(link, file, self._rows.chunks(media_id), peer=peer, timeout_seconds=timeout)
        except DamagedFileError as error:
            log.error("media.damaged", media_id=media_id, error=str(error))
            return _DAMAGED
        await self._rows.keep(media_id, made)
        UPLOADS.labels("uploaded").inc()
        log.info("media.uploaded", account_id=work.account.id, media_id=media_id, bytes=file.size_bytes,
                 seconds=round(work.now() - began, 3))  # fmt: skip
        return made

    def _ready(self, media_id: int, made: UploadedMedia, *, uploaded: bool) -> None:
        self._known[media_id] = made
        if len(self._known) > _MAX_KNOWN:
            del self._known[next(iter(self._known))]
        for held in self._take(media_id):
            if held.was_refreshed:
                put_off(self._work, held, 0.0)
            elif uploaded:
                self._work.in_background(self._admit_anew(held))
            else:
                self._on_ready(held)

    async def _admit_anew(self, held: Held) -> None:
        """As if it had just come: it never left."""
        work = self._work
        if held.never_left:
            await work.insist(lambda: work.ledger.withdraw([held.job.job_id]))
        work.admit_again(held)

    def _refuse(self, media_id: int, outcome: Refused) -> None:
        UPLOADS.labels("refused").inc()
        for held in self._take(media_id):
            self._on_outcome(held, outcome)

    def _take(self, media_id: int) -> list[Held]:
        wanted = self._wanted.pop(media_id)
        return [held for held in wanted.jobs if self._work.held.get(held.job.job_id) is held]

    def _refused(self, media_id: int, wanted: _Wanted, outcome: Outcome) -> None:
        if isinstance(outcome, Refused) and outcome.stale_peer and wanted.jobs:
            # A bot named its first person, whom it may not address: that is this message's failure only.
            held = wanted.jobs.pop(0)
            self._on_outcome(held, outcome)
        elif isinstance(outcome, Refused):
            self._refuse(media_id, outcome)
        elif isinstance(outcome, Wait) and outcome.scope == "account":
            self._work.end_account(outcome.code, outcome.message)
        elif isinstance(outcome, Wait):
            UPLOADS.labels("wait").inc()
            self._rest(wanted, outcome.seconds or 1.0)
        else:
            self._failed(media_id, wanted, "Telegram had a fault of its own", counts=True)

    def _failed(self, media_id: int, wanted: _Wanted, reason: str, *, counts: bool) -> None:
        UPLOADS.labels("failed").inc()
        log.info("media.not_uploaded", account_id=self._work.account.id, media_id=media_id, error=reason)
        wanted.failures += counts
        if wanted.failures > MAX_NETWORK_RETRIES:
            self._refuse(media_id, Refused("NETWORK", f"The file could not be uploaded: {reason}."))
            return
        first = self._work.settings.network_retry_first_seconds
        self._rest(
            wanted,
            backoff_seconds(max(1, wanted.failures), first=first, cap=_RETRY_CAP_SECONDS, jitter=random.random()),  # noqa: S311 - jitter
        )

    def _rest(self, wanted: _Wanted, seconds: float) -> None:
        wanted.not_before = self._work.now() + seconds
        if seconds > self._work.settings.hold_seconds:
            jobs, wanted.jobs = wanted.jobs, []
            give_back(self._work, jobs, delay_seconds=min(seconds, MAX_GIVEN_BACK_SECONDS))
        else:
            self._work.loop.call_later(seconds, self._work.wake.set)
