"""How to find a person on Telegram: what this account knows, else the handle, else the phone."""

from dataclasses import dataclass
from typing import Literal

How = Literal["known", "handle", "phone", "unreachable"]


@dataclass(frozen=True, slots=True)
class Peer:
    """A person as one account may address them: the hash is worth something to this account only."""

    user_id: int
    access_hash: int


def way_to(*, known: bool, handle: str | None, has_phone: bool, is_bot: bool) -> How:
    """An id alone leads nowhere: Telegram wants the access hash, which only meeting the person gives."""
    if known:
        return "known"
    if handle:
        return "handle"
    if has_phone and not is_bot:  # bots may not import contacts
        return "phone"
    return "unreachable"
