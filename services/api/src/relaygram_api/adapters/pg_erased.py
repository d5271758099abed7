"""Keeps erased people out of an import. Only their hashes are known, so each address of the file is hashed too; but
not where nobody was ever erased."""

import asyncio
from collections.abc import Sequence, Set
from typing import Any, Final

from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.addresses import handle_text, user_id_text
from relaygram_common.security.sealing import Sealer

REASON: Final = "belongs to a person who was erased, and is not written to any more"
_BATCH = 20_000
_SECONDS = 600.0


class ErasedPeople:
    """Within the transaction of one import, after all its people are staged."""

    def __init__(
        self, connection: Connection, sealer: Sealer, workspace_id: int, campaign_id: int, import_id: int
    ) -> None:
        self._connection = connection
        self._sealer = sealer
        self._workspace_id = workspace_id
        self._campaign_id = campaign_id
        self._import_id = import_id
        self._newest = 0

    async def are_known(self) -> bool:
        """Whether there is any erased person, whom a line could belong to."""
        return bool(await self._connection.fetchval(sql["anybody_erased"], self._workspace_id))

    async def reject_staged(self) -> int:
        """Before people are added: lines of erased people become errors; how many they are."""
        found = await self._find()
        if not found:
            return 0
        lines, columns = zip(*found, strict=True)
        await self._connection.execute(sql["stage_erased_errors"], lines, columns, REASON, timeout=_SECONDS)
        await self._connection.execute(sql["unstage_contacts"], lines, timeout=_SECONDS)
        return len(set(lines))

    async def reject_added(self) -> tuple[int, int]:
        """Right before the commit: the same for who was erased meanwhile; how many lines, and how many contacts.

        From here to the commit no erasure begins: one that begins later finds these contacts.
        """
        await self._connection.execute(sql["share_people"], self._workspace_id, timeout=_SECONDS)
        found = await self._find()
        if not found:
            return 0, 0
        lines, columns = zip(*found, strict=True)
        await self._connection.execute(
            sql["add_erased_errors"], self._workspace_id, self._import_id, lines, columns, REASON, timeout=_SECONDS
        )
        removed = await self._connection.fetchval(
            sql["remove_added_contacts"], self._campaign_id, lines, timeout=_SECONDS
        )
        return len(set(lines)), removed

    async def _find(self) -> list[tuple[int, str]]:
        """Line and column of each address of somebody who was erased since the last look."""
        rows = await self._connection.fetch(sql["erased_since"], self._workspace_id, self._newest)
        if not rows:
            return []
        self._newest = max(row["id"] for row in rows)
        erased = {row["person_hash"] for row in rows}
        found: list[tuple[int, str]] = []
        cursor = await self._connection.cursor(sql["staged_addresses"])
        while batch := await cursor.fetch(_BATCH, timeout=_SECONDS):
            found += await asyncio.to_thread(_matches, batch, erased, self._sealer)
        return found


def _matches(rows: Sequence[Any], erased: Set[bytes], sealer: Sealer) -> list[tuple[int, str]]:
    fingerprint, found = sealer.fingerprint, []
    for line, user_id, handle, phone_hash in rows:
        if user_id is not None and fingerprint(user_id_text(user_id)) in erased:
            found.append((line, "telegram_user_id"))
        if handle is not None and fingerprint(handle_text(handle)) in erased:
            found.append((line, "handle"))
        if phone_hash is not None and phone_hash in erased:
            found.append((line, "phone"))
    return found
