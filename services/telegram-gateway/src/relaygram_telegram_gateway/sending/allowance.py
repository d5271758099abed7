"""How many more messages an account's hour and day allow, as the ledger of its use says."""

from relaygram_telegram_gateway.core.limits import KeptBy, Usage, remaining, used_up
from relaygram_telegram_gateway.core.waits import Waiting, waiting_for_limit
from relaygram_telegram_gateway.sending.work import Work

_WINDOW_SECONDS: dict[KeptBy, float] = {"hour": 3600.0, "warm_up": 3600.0, "day": 86400.0}


class Allowance:
    """Read once a second; what was admitted since is counted here."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._usage = Usage(0, 0)
        self._admitted = 0  # so far
        self._admitted_at_usage = 0

    async def read(self) -> None:
        """As PostgreSQL has it. Before anything is pulled, too: a new owner must not begin with a burst."""
        before = self._admitted
        self._usage = await self._work.ledger.usage()
        self._admitted_at_usage = before

    def use(self, messages: int) -> None:
        """So many were admitted."""
        self._admitted += messages

    def left(self) -> int | None:
        """How many more may be admitted now; None: any number."""
        account = self._work.account
        left = remaining(account.limits, self._usage, account_age_seconds=account.age_seconds)
        return None if left is None else max(0, left - (self._admitted - self._admitted_at_usage))

    async def waits(self) -> list[Waiting]:
        """Limits that are used up, and when they let something through again."""
        account = self._work.account
        full = used_up(account.limits, self._usage, account_age_seconds=account.age_seconds)
        return [
            Waiting(
                waiting_for_limit(kept_by),
                await self._work.ledger.usage_frees_at(
                    window_seconds=_WINDOW_SECONDS[kept_by], limit=limit, first_day=kept_by == "warm_up"
                ),
            )
            for kept_by, limit in full.items()
        ]
