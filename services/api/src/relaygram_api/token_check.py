"""Whose token is this? Known for a second without asking again: a revoked token is refused here at once, elsewhere
within that second."""

import time
from collections import OrderedDict
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


class TokenCheck:
    """The tokens seen lately: only good ones, so that guesses can not push them out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[int, tuple[float, dict[str, Any]]] = OrderedDict()
        self._forgotten = 0

    async def caller(self, token: str, *, request_id: str) -> Caller | None:
        """Who bears this token; None when it is unknown, expired or revoked, or its user is disabled."""
        parsed = parse_token(token)
        if parsed is None:
            return None
        token_id, secret = parsed
        known = self._known.get(token_id)
        if known is not None and time.monotonic() - known[0] < _KNOWN_SECONDS:
            facts: dict[str, Any] | None = known[1]
        else:
            facts = await self._ask(token_id, secret)
        if facts is None or not secret_matches(facts["secret_hash"], secret) or _has_expired(facts):
            return None
        return Caller(token_id, facts["workspace_id"], facts["user_id"], facts["abilities"], request_id)

    async def caller_with_ticket(self, ticket: str, campaign_id: int, *, request_id: str) -> Caller | None:
        """Whose token made this ticket; None when it is of no use (any more), or its token is not."""
        token_id = await pg_tickets.redeem(self._database, ticket, campaign_id)
        facts = None if token_id is None else await pg_tokens.facts(self._database, token_id)
        if token_id is None or facts is None or not _is_good(facts):
            return None
        return Caller(token_id, facts["workspace_id"], facts["user_id"], facts["abilities"], request_id)

    def forget(self, token_id: int) -> None:
        """It was revoked just now."""
        self._known.pop(token_id, None)
        self._forgotten += 1

    async def _ask(self, token_id: int, secret: str) -> dict[str, Any] | None:
        asked_at, forgotten = time.monotonic(), self._forgotten
        facts = await pg_tokens.facts(self._database, token_id)
        if facts is None or not _is_good(facts):
            self._known.pop(token_id, None)
            return None
        if not secret_matches(facts["secret_hash"], secret):
            return None
        # An answer that was on its way when a token was revoked may be older than that.
        if forgotten == self._forgotten:
            self._known[token_id] = (asked_at, facts)
            self._known.move_to_end(token_id)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        if facts["last_used_at"] is None or datetime.now(UTC) - facts["last_used_at"] > _NOTED_EACH:
            await pg_tokens.note_use(self._database, facts["workspace_id"], token_id)
        return facts


def _is_good(facts: dict[str, Any]) -> bool:
    return facts["revoked_at"] is None and facts["disabled_at"] is None and not _has_expired(facts)


def _has_expired(facts: dict[str, Any]) -> bool:
    return facts["expires_at"] is not None and facts["expires_at"] <= datetime.now(UTC)
