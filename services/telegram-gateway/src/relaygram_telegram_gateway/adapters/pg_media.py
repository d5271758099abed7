"""Files that messages carry: their bytes, piece by piece, and where they lie at Telegram for one account."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

import asyncpg

from relaygram_common.database.statements import Statements
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRow, AccountRows

_sql = Statements("relaygram_telegram_gateway")


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file of a workspace."""

    id: int
    kind: Literal["photo", "document"]
    mime_type: str
    file_name: str | None
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class UploadedMedia:
    """A file at Telegram; its numbers are worth something to one account only."""

    kind: Literal["photo", "document"]
    telegram_id: int
    access_hash: int
    file_reference: bytes


class MediaRows:
    """The files of one account's messages."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", rows: AccountRows, account: AccountRow, term: int) -> None:
        self._pool = pool
        self._rows = rows
        self._account = account
        self._term = term

    async def file(self, media_id: int) -> MediaFile | None:
        """What is known of a file; None when it is gone."""
        row = await self._pool.fetchrow(_sql["media_file"], media_id)
        return None if row is None else MediaFile(media_id, **row)

    async def chunks(self, media_id: int) -> AsyncIterator[bytes]:
        """The bytes, a piece of at most 1 MiB at a time."""
        number = 0
        while (data := await self._pool.fetchval(_sql["media_chunk"], media_id, number)) is not None:
            yield data
            number += 1

    async def uploaded(self, media_id: int) -> UploadedMedia | None:
        """Where the account has uploaded it to, if it has."""
        row = await self._pool.fetchrow(_sql["media_of_account"], self._account.id, media_id)
        return None if row is None else UploadedMedia(**row)

    async def keep(self, media_id: int, uploaded: UploadedMedia) -> None:
        """Uploaded; under our term."""
        who = (self._account.id, media_id, self._account.workspace_id)
        where = (uploaded.telegram_id, uploaded.access_hash, uploaded.file_reference)
        await self._rows.written(self._account, self._term, ("keep_media", *who, *where))

    async def telegram_ids(self, media_id: int) -> frozenset[int]:
        """Every id that the file had at Telegram for this account."""
        ids = await self._pool.fetchval(_sql["media_ids"], self._account.id, media_id)
        return frozenset(ids or ())
