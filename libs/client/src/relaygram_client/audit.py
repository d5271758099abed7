"""Who changed what, and when."""

from datetime import datetime
from typing import Literal, TypedDict, Unpack

from relaygram_client.models.audit import Change
from relaygram_client.paging import Listing
from relaygram_client.transport import Transport


class ChangeFilter(TypedDict, total=False):
    """Which changes: those that all of these apply to."""

    actor: str | None
    action: Literal["created", "changed", "deleted"] | None
    kind: str | None
    thing_id: int | None
    since: datetime | str | None
    until: datetime | str | None


class Audit:
    """`relaygram.audit`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, **wanted: Unpack[ChangeFilter]) -> Listing[Change]:
        """Every change of what the workspace has, newest first."""
        return Listing(self._transport, "/audit", Change, {**wanted})
