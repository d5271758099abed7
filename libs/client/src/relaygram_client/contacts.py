"""The people of a campaign: importing, listing and removing them."""

import asyncio
from collections.abc import AsyncIterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from relaygram_client.errors import ForbiddenError, NoAnswerError, RelaygramError, UploadBrokenError
from relaygram_client.models.contacts import Import, Sender
from relaygram_client.paging import Listing, one
from relaygram_client.transport import Body, Transport
from relaygram_client.uploads import OnProgress, of_bytes, of_file, watched


class Contacts:
    """`relaygram.contacts`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, campaign_id: int, *, status: str | None = None, q: str | None = None) -> Listing[Sender]:
        """The people of a campaign in the order they were added; `q` is part of a name or handle."""
        return Listing(self._transport, f"/campaigns/{campaign_id}/senders", Sender, {"status": status, "q": q})

    async def import_csv(
        self,
        campaign_id: int,
        source: Path | str | bytes | AsyncIterable[bytes],
        *,
        on_progress: OnProgress | None = None,
    ) -> Import:
        """Upload a CSV file (by its path, as bytes, or in pieces), streamed; the import goes on in the background.

        `relaygram.imports.wait` waits for its end. Pieces of an iterator can be had once, so such an upload is not
        repeated when the connection breaks; a file is.
        """
        if isinstance(source, Path | str):
            file = Path(source)
            if not await asyncio.to_thread(file.is_file):
                raise FileNotFoundError(f"there is no file {file}")
            return await self._upload(campaign_id, lambda: of_file(file), on_progress, repeatable=True)
        if isinstance(source, bytes):
            whole = source
            return await self._upload(campaign_id, lambda: of_bytes(whole), on_progress, repeatable=True)
        given = source
        return await self._upload(campaign_id, lambda: given, on_progress, repeatable=False)

    async def add(self, campaign_id: int, people: Sequence[Mapping[str, Any]]) -> Import:
        """Import up to 10,000 people, each with any of `telegram_user_id`, `handle`, `phone`, and columns."""
        body = {"contacts": [dict(person) for person in people]}
        return one(Import, await self._transport.call("POST", _path(campaign_id), json=body))

    async def remove(self, campaign_id: int, sender_id: int) -> None:
        """Take a person out of a campaign: nothing more is sent to them; the log keeps what was."""
        await self._transport.call("DELETE", f"{_path(campaign_id)}/{sender_id}")

    async def _upload(
        self, campaign_id: int, body: Body, on_progress: OnProgress | None, *, repeatable: bool
    ) -> Import:
        try:
            answer = await self._transport.upload(
                _path(campaign_id), lambda: watched(body(), on_progress), "text/csv", repeatable=repeatable
            )
        except NoAnswerError as error:
            raise await self._why_broken(campaign_id, error) from error
        return one(Import, answer)

    async def _why_broken(self, campaign_id: int, error: NoAnswerError) -> RelaygramError:
        """A server that refuses a large body closes the connection, and its answer is lost with it: ask for less."""
        try:
            await self._transport.call("GET", f"/campaigns/{campaign_id}")
        except RelaygramError as reason:
            if not isinstance(reason, ForbiddenError):  # who may only write can not ask
                return reason
        return UploadBrokenError(
            "the connection was closed before all of the file was sent: it may be larger than the server takes, "
            f"or campaign {campaign_id} may take no contacts now ({error})"
        )


def _path(campaign_id: int) -> str:
    return f"/campaigns/{campaign_id}/contacts"
