"""Whose token is this? Known for a second without asking again: a revoked token is refused here at once, elsewhere
within that second."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from relaygram_api.adapters import pg_tickets, pg_tokens
from relaygram_api.adapters.pg_workspace import Database
from relaygram_api.caller import Caller
from relaygram_common.security.tokens import parse_token, secret_matches

_KNOWN_SECONDS = 1.0
_KEPT = 10_000
# Once a minute is enough to see which tokens are in use.
_NOTED_EACH = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Known:
    """A good token: what its secret must hash to, and whose it is."""

    asked_at: float
    secret_hash: bytes
    expires_at: datetime | None
    caller: Caller


class TokenCheck:
    """The tokens seen lately: only good ones, so that guesses can not push them out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, _Known] = OrderedDict()  # by id, as tokens begin
        self._forgotten = 0

    async def caller(self, token: str) -> Caller | None:
        """Who bears this token; None when it is unknown, expired or revoked, or its user is disabled."""
        token_id, _, secret = token.partition("|")
        known = self._known.get(token_id)
        if known is None or time.monotonic() - known.asked_at >= _KNOWN_SECONDS:
            known = await self._ask(token)
        elif not secret_matches(known.secret_hash, secret):
            return None
        return None if known is None or _is_over(known.expires_at) else known.caller

    async def caller_with_ticket(self, ticket: str, campaign_id: int) -> Caller | None:
        """Whose token made this ticket; None when it is of no use (any more), or its token is not."""
        token_id = await pg_tickets.redeem(self._database, ticket, campaign_id)
        facts = None if token_id is None else await pg_tokens.facts(self._database, token_id)
        return None if token_id is None or facts is None or not _is_good(facts) else _caller(token_id, facts)

    def forget(self, token_id: int) -> None:
        """It was revoked just now."""
        self._known.pop(str(token_id), None)
        self._forgotten += 1

    async def _ask(self, token: str) -> _Known | None:
        """What PostgreSQL says of the token; None when it is not good, or this is not its secret."""
        parsed = parse_token(token)
        if parsed is None:
            return None
        token_id, secret = parsed
        asked_at, forgotten = time.monotonic(), self._forgotten
        facts = await pg_tokens.facts(self._database, token_id)
        if facts is None or not _is_good(facts):
            self._known.pop(str(token_id), None)
            return None
        if not secret_matches(facts["secret_hash"], secret):
            return None
        known = _Known(asked_at, facts["secret_hash"], facts["expires_at"], _caller(token_id, facts))
        # An answer that was on its way when a token was revoked may be older than that.
        if forgotten == self._forgotten:
            self._keep(str(token_id), known)
        if facts["last_used_at"] is None or datetime.now(UTC) - facts["last_used_at"] > _NOTED_EACH:
            await pg_tokens.note_use(self._database, facts["workspace_id"], token_id)
        return known

    def _keep(self, token_id: str, known: _Known) -> None:
        self._known[token_id] = known
        self._known.move_to_end(token_id)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)


def _caller(token_id: int, facts: dict[str, Any]) -> Caller:
    return Caller(token_id, facts["workspace_id"], facts["user_id"], facts["abilities"])


def _is_good(facts: dict[str, Any]) -> bool:
    return facts["revoked_at"] is None and facts["disabled_at"] is None and not _is_over(facts["expires_at"])


def _is_over(expires_at: datetime | None) -> bool:
    return expires_at is not None and expires_at <= datetime.now(UTC)
