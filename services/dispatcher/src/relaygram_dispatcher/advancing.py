"""One turn of a running campaign: what follows from its log, then what is due, then its next people."""

from relaygram_dispatcher.adapters.pg_due import PgDue
from relaygram_dispatcher.core.duties import to_follow, to_plan, work_is_due
from relaygram_dispatcher.core.run import Run
from relaygram_dispatcher.core.window import Window
from relaygram_dispatcher.due import DueRows
from relaygram_dispatcher.expansion import Expansion
from relaygram_dispatcher.following import Follower

_PEOPLE_PER_PLAN = 500


class Advancing:
    """By the holder of the run's lease; each write is guarded by its epoch."""

    def __init__(
        self, due: PgDue, follower: Follower, due_rows: DueRows, expansion: Expansion, *, window: Window
    ) -> None:
        self._due = due
        self._follower = follower
        self._due_rows = due_rows
        self._expansion = expansion
        self._window = window

    async def work(self, run: Run) -> bool:
        """As far as it goes now; was anything done? Raises LeaseLostError."""
        content = await self._due.content(run)
        if content is None:
            return False
        if to_plan(run):
            await self._plan(run)
        followed = run.followed_revision
        if to_follow(run):
            followed = await self._follower.work(run, content)
        made = 0
        if to_follow(run) or work_is_due(run, room=self._window.room(run)):
            made = await self._due_rows.work(run, content, followed=followed, free=self._window.free(run))
        expanded = False
        if not run.expanded:
            expanded = await self._expansion.work(run, content, made=made)
            if expanded and content.steps:
                free = self._window.free(run) - made
                made += await self._due_rows.work(run, content, followed=followed, free=free)
        return bool(to_plan(run) or made or expanded or followed > run.followed_revision)

    async def _plan(self, run: Run) -> None:
        """All due times are set anew, page by page. What changes meanwhile is found by the next look."""
        after = 0
        while after := await self._due.plan_page(run, after, people=_PEOPLE_PER_PLAN):
            pass
        await self._due.note_plan(run)
