"""Follows a campaign's log: whose message has its outcome gets the next step, follow-ups, or nothing more.

By revision, which grows with each change and never skips: an event that was lost, doubled or came late changes nothing.
"""

import structlog

from relaygram_dispatcher import metrics
from relaygram_dispatcher.adapters.pg_follow import PgFollow
from relaygram_dispatcher.core.run import Content, Run
from relaygram_dispatcher.core.sequence import Following, Outcome, follow

log = structlog.get_logger(__name__)


class Follower:
    """Page by page; each page's rows and how far it goes are one transaction."""

    def __init__(self, pg_follow: PgFollow) -> None:
        self._follow = pg_follow

    async def work(self, run: Run, content: Content) -> int:
        """To the log's present end, which it returns. Raises LeaseLostError."""
        followed = run.followed_revision
        while True:
            changes = await self._follow.changes(run, followed)
            if changes.until > followed:
                await self._write(run, content, changes.outcomes, after=followed, until=changes.until)
                followed = changes.until
            if not changes.full:
                return followed

    async def stale(self, run: Run, content: Content) -> int:
        """Rows whose message had its outcome before they were made; how many. Raises LeaseLostError."""
        outcomes = await self._follow.stale(run, run.followed_revision)
        if outcomes:
            await self._write(run, content, outcomes, after=run.followed_revision, until=run.followed_revision)
        return len(outcomes)

    async def _write(self, run: Run, content: Content, outcomes: list[Outcome], *, after: int, until: int) -> None:
        people = {outcome.contact_id for outcome in outcomes} if content.steps else set()
        has = await self._follow.messages_of(run, sorted(people)) if people else {}
        following: list[tuple[int, Following]] = []
        for outcome in outcomes:
            each = follow(
                outcome,
                campaign_id=run.campaign_id,
                steps=content.steps,
                has=has.get(outcome.contact_id, ()),
                now=run.read_at,
            )
            if each.done or each.enrolls or each.rows:
                following.append((outcome.contact_id, each))
        came = await self._follow.follow(run, after=after, until=until, following=following)
        metrics.DUE_ROWS.inc(came)
