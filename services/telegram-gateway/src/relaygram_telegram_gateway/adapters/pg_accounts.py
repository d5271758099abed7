"""Accounts, their log-ins and their blocks, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from relaygram_common.database.statements import Statements
from relaygram_telegram_gateway.adapters.pg_ledger import TERM_LOST_SQLSTATE, TermLostError
from relaygram_telegram_gateway.core.campaign_states import CampaignState
from relaygram_telegram_gateway.core.limits import Limits, parse_limits
from relaygram_telegram_gateway.core.waits import Waiting

_sql = Statements("relaygram_telegram_gateway")


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as its row says."""

    id: int
    workspace_id: int
    kind: str
    status: str
    status_reason: str | None
    backing_off_until: datetime | None
    telegram_user_id: int | None
    handle: str | None
    limits: Limits
    version: int
    age_seconds: float = field(compare=False)  # grows by itself: no change of the account
    leaving: bool  # deleted or logged out: its session is to be ended
    secrets: frozenset[str]
    connection: "OwnConnection"

    @property
    def is_bot(self) -> bool:
        """Bots have no history, no contacts, and speak only when spoken to."""
        return self.kind == "bot"


@dataclass(frozen=True, slots=True)
class OwnConnection:
    """How the account reaches Telegram where that is otherwise than the installation does; sealed."""

    api_id: int | None = None
    api_hash_sealed: bytes | None = None
    proxy_sealed: bytes | None = None


@dataclass(frozen=True, slots=True)
class HalfWay:
    """A log-in between its steps."""

    session_sealed: bytes
    phone_code_hash: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """A method that is closed to the account."""

    method: str
    code: str
    seconds: float  # from now; negative when it is over
    until: datetime
    strikes: int


class AccountRows:
    """Reads and moves accounts."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def wanted(self) -> list[AccountRow]:
        """All accounts that need an owner."""
        return [_account(row) for row in await self._pool.fetch(_sql["accounts_wanted"])]

    async def campaigns(self, accounts: Sequence[int]) -> list[CampaignState]:
        """The campaigns of these accounts that run or are paused."""
        rows = await self._pool.fetch(_sql["campaigns_of_accounts"], accounts)
        return [
            CampaignState(row["telegram_account_id"], row["id"], row["status"], row["version"], row["mode"])
            for row in rows
        ]

    async def move(
        self,
        account: AccountRow,
        status: str,
        reason: str | None,
        *,
        until: datetime | None = None,
        telegram_user_id: int | None = None,
        handle: str | None = None,
    ) -> str:
        """Move the account; `changed`, `unchanged`, `refused` or `not_found`."""
        row = await self._pool.fetchrow(
            _sql["move_account"], account.workspace_id, account.id, status, reason, until, telegram_user_id, handle
        )
        return str(row["outcome"]) if row is not None else "not_found"

    async def pause_campaign(self, workspace_id: int, campaign_id: int) -> None:
        """Its content would be refused for everybody."""
        await self._pool.fetchrow(_sql["pause_campaign"], workspace_id, campaign_id)

    async def login_now(self, account_id: int) -> tuple[str, dict[str, bytes]]:
        """The account's status, and the sealed secrets of its log-in by kind, as they are now."""
        rows = await self._pool.fetch(_sql["login_now"], account_id)
        status = str(rows[0]["status"]) if rows else "logged_out"
        return status, {row["kind"]: row["sealed"] for row in rows if row["kind"] is not None}

    async def forget_used_secrets(self, account_id: int, used: Mapping[str, bytes]) -> None:
        """These were used; what was entered meanwhile stays, be it for the next log-in."""
        await self._pool.execute(_sql["forget_used_secrets"], account_id, list(used), list(used.values()))

    async def session(self, account_id: int) -> bytes | None:
        """The sealed session."""
        sealed: bytes | None = await self._pool.fetchval(_sql["session"], account_id)
        return sealed

    async def session_is_in_use(self, account_id: int, fingerprint: bytes) -> bool:
        """Whether another account uses this very session."""
        return bool(await self._pool.fetchval(_sql["session_is_in_use"], account_id, fingerprint))

    async def half_way(self, account_id: int) -> HalfWay | None:
        """The log-in between its steps."""
        row = await self._pool.fetchrow(_sql["login"], account_id)
        return None if row is None else HalfWay(row["session_sealed"], row["phone_code_hash"])

    async def has_had_owner(self, account_id: int) -> bool:
        """Whether any gateway ever ran it."""
        return bool(await self._pool.fetchval(_sql["has_had_owner"], account_id))

    async def release_term(self, account_id: int, term: int) -> None:
        """We let go of the account: nobody runs it until somebody takes it."""
        await self._pool.execute(_sql["release_term"], account_id, term)

    async def say_alive(self, instance: str) -> None:
        """What this gateway owns, it runs."""
        await self._pool.execute(_sql["say_alive"], instance)

    async def say_goodbye(self, instance: str) -> None:
        """This gateway ends."""
        await self._pool.execute(_sql["say_goodbye"], instance)

    async def take_term(self, account: AccountRow, owner: str) -> int:
        """The number that all our writes for this account carry."""
        return int(await self._pool.fetchval(_sql["take_term"], account.workspace_id, account.id, owner))

    async def blocks(self, account_id: int) -> list[Block]:
        """Methods that are closed now, and what is to be tried with care."""
        rows = await self._pool.fetch(_sql["blocks"], account_id)
        return [Block(row["method"], row["code"], row["seconds"], row["blocked_until"], row["strikes"]) for row in rows]

    async def wait_of(self, account_id: int) -> Waiting | None:
        """Why the account sends nothing, as was told last."""
        row = await self._pool.fetchrow(_sql["wait_of_account"], account_id)
        return None if row is None else Waiting(row["waiting_for"], row["until"])

    async def tell_wait(self, account: AccountRow, term: int, waiting: Waiting | None) -> None:
        """Why the account sends nothing now; None: nothing keeps it."""
        if waiting is None:
            await self.written(account, term, ("forget_wait", account.id))
            return
        what = (waiting.waiting_for, waiting.until)
        await self.written(account, term, ("save_wait", account.id, account.workspace_id, *what))

    async def written(self, account: AccountRow, term: int, *statements: tuple[Any, ...]) -> Any:
        """Statements by name with their arguments, in one transaction under our term. Returns the last one's value.

        Raises TermLostError.
        """
        value: Any = None
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_sql["demand_term"], account.id, term)
                for name, *arguments in statements:
                    value = await connection.fetchval(_sql[name], *arguments)
        except asyncpg.PostgresError as error:
            if error.sqlstate == TERM_LOST_SQLSTATE:
                raise TermLostError(str(error)) from error
            raise
        return value


def _account(row: asyncpg.Record) -> AccountRow:
    return AccountRow(
        id=row["id"],
        workspace_id=row["workspace_id"],
        kind=row["kind"],
        status=row["status"],
        status_reason=row["status_reason"],
        backing_off_until=row["backing_off_until"],
        telegram_user_id=row["telegram_user_id"],
        handle=row["handle"],
        limits=parse_limits(row["limits"]),
        version=row["version"],
        age_seconds=row["age_seconds"],
        leaving=row["leaving"],
        secrets=frozenset(row["secrets"]),
        connection=OwnConnection(row["api_id"], row["api_hash_sealed"], row["proxy_sealed"]),
    )
