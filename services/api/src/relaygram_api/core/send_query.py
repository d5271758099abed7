"""What a search of the send logs asks for, and how a send's moments and people are written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from relaygram_common.contracts.delivery import MAX_ID

MOST_A_PAGE: Final = 1000
_ID: Final = re.compile("[1-9][0-9]{0,18}")
_PHONE: Final = re.compile(r"\+[0-9() .-]{5,}")
_SHOWN_DIGITS: Final = 2


@dataclass(frozen=True, slots=True)
class SendQuery:
    """A search with its defaults filled in; times in whole milliseconds, as sends begin."""

    campaign_ids: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    skip: int = 0
    limit: int = MOST_A_PAGE

    @property
    def campaigns(self) -> list[int] | None:
        """Those that can be ids of ours; nothing began a send for any other. None: of all campaigns."""
        if self.campaign_ids is None:
            return None
        return [number for text in self.campaign_ids if _ID.fullmatch(text) and (number := int(text)) <= MAX_ID]

    def shown(self) -> dict[str, Any]:
        """As callers see it, to search on with."""
        find: dict[str, Any] = {}
        if self.campaign_ids is not None:
            find["campaign_id"] = list(self.campaign_ids)
        between = {"$gte": self.since, "$lte": self.until}
        if any(between.values()):
            find["startDeliveryAt"] = {name: millis(moment) for name, moment in between.items() if moment}
        return {"find": find, "options": {"skip": self.skip, "limit": self.limit}}


def whole_millis(moment: datetime, *, up: bool = False) -> datetime:
    """The whole millisecond at or before it, or at or after it."""
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    if not up or whole == moment:
        return whole
    try:
        return whole + timedelta(milliseconds=1)
    except OverflowError:
        return whole  # the last millisecond of the year 9999


def millis(moment: datetime) -> str:
    """A moment in UTC as the send logs write it."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def masked(destination: str) -> str:
    """A handle or an id as it is; of a phone, whoever wrote it there, the last digits."""
    if not _PHONE.fullmatch(destination):
        return destination
    return "+" + "*" * (len(destination) - 1 - _SHOWN_DIGITS) + destination[-_SHOWN_DIGITS:]
