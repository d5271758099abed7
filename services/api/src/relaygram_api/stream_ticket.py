"""The ticket in the address of a stream: browsers can not send a header there."""

import re
from typing import Final

from starlette.datastructures import QueryParams
from starlette.types import Scope

from relaygram_common.contracts.delivery import MAX_ID

_STREAM: Final = re.compile(r"/api/v1/campaigns/([1-9][0-9]{0,18})/logs/stream")
_TICKET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def ticket_in(scope: Scope) -> tuple[str, int] | None:
    """The ticket, and the campaign that it must be for; None elsewhere, and when it can not be one."""
    stream = _STREAM.fullmatch(scope["path"])
    if stream is None or scope["method"] != "GET" or b"ticket=" not in scope["query_string"]:
        return None
    ticket = QueryParams(scope["query_string"]).get("ticket", "")
    campaign_id = int(stream[1])
    return (ticket, campaign_id) if _TICKET.fullmatch(ticket) and campaign_id <= MAX_ID else None
