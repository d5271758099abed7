"""Old rows leave the log: now and then a sweep over all campaigns, by one log-writer at a time."""

import asyncio
import random
from datetime import timedelta

import structlog

from relaygram_common.backoff import backoff_seconds
from relaygram_common.database.pool import TRANSIENT_ERRORS
from relaygram_log_writer import metrics
from relaygram_log_writer.adapters.pg_retention import BEFORE_ALL, PgRetention
from relaygram_log_writer.core.trimming import FIRST_ROWS, next_rows, pause_seconds

log = structlog.get_logger(__name__)
_SWEEP_SECONDS = 300.0
_RETRY_CAP_SECONDS = 60.0


class Retention:
    """Keeps the log as long as it is told to."""

    def __init__(self, pg_retention: PgRetention, *, keep: timedelta) -> None:
        self._log = pg_retention
        self._keep = keep
        self._rows = FIRST_ROWS

    async def run(self) -> None:
        """Sweeps until cancelled; what fails is tried again, and what was taken stays taken."""
        failures = 0
        while True:
            try:
                await self.sweep()
            except TRANSIENT_ERRORS as error:
                failures += 1
                log.warning("log.retention_delayed", failures=failures, error=str(error) or type(error).__name__)
                pause = backoff_seconds(failures, first=1.0, cap=_RETRY_CAP_SECONDS, jitter=_jitter())
            else:
                failures = 0
                pause = _SWEEP_SECONDS * (1.0 - _jitter() / 2.0)
            await asyncio.sleep(pause)

    async def sweep(self) -> int:
        """Every campaign once; how many rows left. 0 also when another log-writer is at it. Raises TRANSIENT_ERRORS."""
        left, after = 0, BEFORE_ALL
        if not await self._log.is_ours():
            return 0
        while campaigns := await self._log.old_logs(self._keep, after=after):
            for campaign_id in campaigns:
                trimmed = await self._trim(campaign_id)
                if trimmed is None:
                    return left
                left += trimmed
            after = campaigns[-1]
        if left:
            log.info("log.trimmed", rows=left)
        return left

    async def _trim(self, campaign_id: int) -> int | None:
        left = 0
        while batch := await self._log.trim(campaign_id, self._keep, most=self._rows):
            left += batch.rows
            metrics.TRIMMED.inc(batch.rows)
            metrics.TRIM_SECONDS.observe(batch.held_ms / 1000)
            if batch.rows < self._rows:
                return left
            self._rows = next_rows(self._rows, batch.held_ms)
            await asyncio.sleep(pause_seconds(batch.held_ms))
        return None


def _jitter() -> float:
    return random.random()  # noqa: S311 - spreads sweeps, guards no secret
