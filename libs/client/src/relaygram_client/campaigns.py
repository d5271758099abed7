"""Campaigns: making, reading, changing and deleting them, and their life: start, pause, stop."""

from datetime import datetime
from typing import Any, TypedDict, Unpack

from relaygram_client.logs import LogFilter, Logs
from relaygram_client.models.campaigns import Campaign, CampaignStatus, Mode
from relaygram_client.models.logs import LogRow
from relaygram_client.paging import Listing, one
from relaygram_client.transport import Transport, as_text


class QuietHoursGiven(TypedDict):
    """When nobody is written to, as `HH:MM`."""

    start: str
    end: str


class CampaignOptions(TypedDict, total=False):
    """What else can be said of a campaign."""

    trigger_keyword: str | None
    scheduled_at: datetime | str | None
    time_zone: str | None
    quiet_hours: QuietHoursGiven | None
    reference: str | None
    entity_id: str | None
    application_id: str | None


class CampaignChanges(CampaignOptions, total=False):
    """Those given change; `mode` and `telegram_account_id` only in a draft."""

    name: str
    mode: Mode
    telegram_account_id: int
    body: str


class Campaigns:
    """`relaygram.campaigns`"""

    def __init__(self, transport: Transport, logs: Logs) -> None:
        self._transport = transport
        self._logs = logs

    def list(
        self, *, status: CampaignStatus | None = None, mode: Mode | None = None, q: str | None = None
    ) -> Listing[Campaign]:
        """The campaigns of the workspace, newest first; `q` is part of the name."""
        return Listing(self._transport, "/campaigns", Campaign, {"status": status, "mode": mode, "q": q})

    async def create(
        self, *, name: str, mode: Mode, telegram_account_id: int, body: str, **options: Unpack[CampaignOptions]
    ) -> Campaign:
        """A draft. A broadcast writes to its contacts; an auto_reply answers who writes its `trigger_keyword`."""
        given = {"name": name, "mode": mode, "telegram_account_id": telegram_account_id, "body": body, **options}
        return one(Campaign, await self._transport.call("POST", "/campaigns", json=_as_body(given)))

    async def get(self, campaign_id: int) -> Campaign:
        """One campaign."""
        return one(Campaign, await self._transport.call("GET", _path(campaign_id)))

    async def update(self, campaign_id: int, **changes: Unpack[CampaignChanges]) -> Campaign:
        """Change the fields given; a running campaign's next message has the new text."""
        return one(Campaign, await self._transport.call("PUT", _path(campaign_id), json=_as_body({**changes})))

    async def delete(self, campaign_id: int) -> None:
        """Take it out of every list; its log stays readable by id."""
        await self._transport.call("DELETE", _path(campaign_id))

    async def start(self, campaign_id: int) -> Campaign:
        """Start or resume; on a running one nothing happens."""
        return await self._move(campaign_id, "start")

    async def pause(self, campaign_id: int) -> Campaign:
        """Halt queued sends until the next start."""
        return await self._move(campaign_id, "pause")

    async def stop(self, campaign_id: int) -> Campaign:
        """End it for good; queued sends are discarded."""
        return await self._move(campaign_id, "stop")

    def logs(self, campaign_id: int, **wanted: Unpack[LogFilter]) -> Listing[LogRow]:
        """What became of its messages: the same as `relaygram.logs.list`."""
        return self._logs.list(campaign_id, **wanted)

    async def _move(self, campaign_id: int, action: str) -> Campaign:
        return one(Campaign, await self._transport.call("POST", f"{_path(campaign_id)}/{action}"))


def _path(campaign_id: int) -> str:
    return f"/campaigns/{campaign_id}"


def _as_body(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: as_text(value) for name, value in fields.items()}
