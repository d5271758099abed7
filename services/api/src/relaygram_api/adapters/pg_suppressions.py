"""The list of people who must not be written to."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from relaygram_api.adapters.pg_campaigns import like
from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.addresses import handle_text, normal_phone, normal_user_id, user_id_text
from relaygram_api.core.suppression_rows import Listed
from relaygram_common.security.sealing import Sealer, SealError

_SHOWN_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to: part of a handle or reason, or a whole Telegram id or phone."""

    pattern: str | None = None
    telegram_user_id: int | None = None
    phone_hash: bytes | None = None

    @classmethod
    def by(cls, q: str | None, sealer: Sealer) -> "Wanted":
        """As a caller writes it."""
        if q is None:
            return cls()
        user_id = phone = None
        with contextlib.suppress(ValueError):
            user_id = normal_user_id(q)
        with contextlib.suppress(ValueError):
            phone = normal_phone(q)
        return cls(like(q.removeprefix("@")), user_id, sealer.fingerprint(phone) if phone else None)


async def add(connection: Connection, sealer: Sealer, workspace_id: int, people: Sequence[Listed]) -> int:
    """Put them on the list; how many were not there before."""
    added: int = await connection.fetchval(
        sql["suppress"],
        workspace_id,
        [one.telegram_user_id for one in people],
        [one.handle for one in people],
        [sealer.fingerprint(one.phone) if one.phone else None for one in people],
        [sealer.seal(one.phone, owner=_owner(workspace_id)) if one.phone else None for one in people],
        [one.reason for one in people],
        [sealer.fingerprint(user_id_text(one.telegram_user_id)) if one.telegram_user_id else None for one in people],
        [sealer.fingerprint(handle_text(one.handle)) if one.handle else None for one in people],
        timeout=5.0,
    )
    return added


async def count(connection: Connection, workspace_id: int, wanted: Wanted) -> int:
    """How many there are."""
    number: int = await connection.fetchval(
        sql["count_suppressions"], workspace_id, wanted.pattern, wanted.telegram_user_id, wanted.phone_hash
    )
    return number


async def page(
    connection: Connection,
    sealer: Sealer,
    workspace_id: int,
    wanted: Wanted,
    *,
    limit: int,
    offset: int = 0,
    after: int = 0,
) -> list[dict[str, Any]]:
    """These lines, in the order they were added; phones cut to their last digits."""
    rows = await connection.fetch(
        sql["list_suppressions"],
        workspace_id, wanted.pattern, wanted.telegram_user_id, wanted.phone_hash, after, limit, offset,
    )  # fmt: skip
    return [{**row, "phone": _masked(row, sealer, workspace_id)} for row in rows]


async def is_erased(connection: Connection, workspace_id: int, suppression_id: int) -> bool | None:
    """Whether the line is an erased person's; None when there is none. Locked until the transaction ends."""
    erased: bool | None = await connection.fetchval(sql["get_suppression"], workspace_id, suppression_id)
    return erased


async def delete(connection: Connection, workspace_id: int, suppression_id: int) -> None:
    """Off the list."""
    await connection.execute(sql["delete_suppression"], workspace_id, suppression_id)


def _masked(row: Any, sealer: Sealer, workspace_id: int) -> str | None:
    if not row["has_phone"]:
        return None
    try:
        phone = sealer.open(row["phone_sealed"] or b"", owner=_owner(workspace_id))
    except SealError:
        return "…"  # of a suppression that came without its phone, or under a key that is gone
    return "…" + phone[-_SHOWN_DIGITS:]


def _owner(workspace_id: int) -> str:
    return f"suppression-phone:{workspace_id}"
