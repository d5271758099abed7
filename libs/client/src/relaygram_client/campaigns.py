"""Campaigns: making, reading, changing and deleting them, and their life: start, pause, stop."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Required, TypedDict, Unpack
from uuid import UUID

from relaygram_client.logs import LogFilter, Logs
from relaygram_client.models.campaigns import Campaign, CampaignStatus, Mode
from relaygram_client.models.logs import LogRow
from relaygram_client.models.previews import CampaignTest, Preview
from relaygram_client.models.stats import CampaignStats
from relaygram_client.models.steps import Step
from relaygram_client.paging import Listing, one, several
from relaygram_client.transport import Transport, as_text

_UNDECIDED = frozenset({"queued", "sending", "retrying", "deferred"})
_POLL_SECONDS = 0.5


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
    attachments: list[int]


class CampaignChanges(CampaignOptions, total=False):
    """Those given change; `mode` and `telegram_account_id` only in a draft."""

    name: str
    mode: Mode
    telegram_account_id: int
    body: str


class FollowUpGiven(TypedDict):
    """A further text for those who have not replied so long after the step."""

    after_hours: float
    body: str


class StepGiven(TypedDict, total=False):
    """A step as it is to be: who it was by `step_id`, else by its position; in the list's order without `position`."""

    body: Required[str]
    step_id: int | None
    position: int | None
    delay_seconds: int
    attachments: list[int]
    followups: Sequence[FollowUpGiven]


class TestPerson(TypedDict, total=False):
    """A contact of the campaign by `sender_id`, or anybody by an address; `columns` are other tokens of the text."""

    sender_id: int | None
    telegram_user_id: int | None
    handle: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    columns: dict[str, str] | None


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

    async def get_with_etag(self, campaign_id: int) -> tuple[Campaign, str]:
        """One campaign, and its ETag: given as `if_match`, a change is refused when somebody was faster."""
        content, etag = await self._transport.read_with_etag(_path(campaign_id))
        return one(Campaign, content), etag

    async def update(
        self, campaign_id: int, *, if_match: str | None = None, **changes: Unpack[CampaignChanges]
    ) -> Campaign:
        """Change the fields given; a running campaign's next message has the new text."""
        body = _as_body({**changes})
        return one(Campaign, await self._transport.call("PUT", _path(campaign_id), json=body, if_match=if_match))

    async def delete(self, campaign_id: int, *, if_match: str | None = None) -> None:
        """Take it out of every list; its log stays readable by id."""
        await self._transport.call("DELETE", _path(campaign_id), if_match=if_match)

    async def start(self, campaign_id: int, *, if_match: str | None = None) -> Campaign:
        """Start or resume; on a running one nothing happens."""
        return await self._move(campaign_id, "start", if_match)

    async def pause(self, campaign_id: int, *, if_match: str | None = None) -> Campaign:
        """Halt queued sends until the next start."""
        return await self._move(campaign_id, "pause", if_match)

    async def stop(self, campaign_id: int, *, if_match: str | None = None) -> Campaign:
        """End it for good; queued sends are discarded."""
        return await self._move(campaign_id, "stop", if_match)

    async def steps(self, campaign_id: int) -> Sequence[Step]:
        """Its messages in order; without any it sends its body."""
        return several(Step, await self._transport.call("GET", f"{_path(campaign_id)}/steps"))

    async def replace_steps(
        self, campaign_id: int, steps: Sequence[StepGiven | Step], *, if_match: str | None = None
    ) -> Sequence[Step]:
        """Put this list in place of the steps; `if_match` is the campaign's ETag."""
        body = {"steps": [step.as_json() if isinstance(step, Step) else dict(step) for step in steps]}
        path = f"{_path(campaign_id)}/steps"
        return several(Step, await self._transport.call("PUT", path, json=body, if_match=if_match))

    async def stats(self, campaign_id: int) -> CampaignStats:
        """Counts, codes, the rate of the last minutes, and an estimated end."""
        return one(CampaignStats, await self._transport.call("GET", f"{_path(campaign_id)}/stats"))

    async def preview(
        self,
        campaign_id: int,
        *,
        sender_id: int | None = None,
        contact: Mapping[str, str | float | None] | None = None,
        body: str | None = None,
        step: int | None = None,
        follow_up: int | None = None,
    ) -> Preview:
        """The text (or `body`) as a contact gets it, or a person with these columns; else the first contact.

        `step` is the position in the campaign's sequence, `follow_up` the number of one of its follow-ups.
        """
        given = _given({"sender_id": sender_id, "contact": contact, "body": body})
        path = f"{_path(campaign_id)}/preview"
        return one(
            Preview, await self._transport.call("POST", path, query={"step": step, "follow_up": follow_up}, json=given)
        )

    async def test(
        self,
        campaign_id: int,
        *,
        step: int | None = None,
        follow_up: int | None = None,
        **person: Unpack[TestPerson],
    ) -> CampaignTest:
        """Send the text once to a contact or to anybody; counts nowhere. `wait_for_test` tells what became of it."""
        path = f"{_path(campaign_id)}/test"
        return one(
            CampaignTest,
            await self._transport.call("POST", path, query={"step": step, "follow_up": follow_up}, json={**person}),
        )

    async def get_test(self, campaign_id: int, job_id: str) -> CampaignTest:
        """What became of a test send."""
        return one(CampaignTest, await self._transport.call("GET", f"{_path(campaign_id)}/test/{UUID(job_id)}"))

    async def wait_for_test(self, campaign_id: int, job_id: str, *, timeout_seconds: float = 60.0) -> CampaignTest:
        """Poll until it is decided. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                found = await self.get_test(campaign_id, job_id)
                if found.status not in _UNDECIDED:
                    return found
                await asyncio.sleep(_POLL_SECONDS)

    def logs(self, campaign_id: int, **wanted: Unpack[LogFilter]) -> Listing[LogRow]:
        """What became of its messages: the same as `relaygram.logs.list`."""
        return self._logs.list(campaign_id, **wanted)

    async def _move(self, campaign_id: int, action: str, if_match: str | None) -> Campaign:
        path = f"{_path(campaign_id)}/{action}"
        return one(Campaign, await self._transport.call("POST", path, if_match=if_match))


def _path(campaign_id: int) -> str:
    return f"/campaigns/{campaign_id}"


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _as_body(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: as_text(value) for name, value in fields.items()}
