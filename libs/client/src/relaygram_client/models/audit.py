"""Who changed what."""

from datetime import datetime
from typing import Any, Literal

from relaygram_client.models.shape import Shape


class Change(Shape):
    """One change; secrets are never shown."""

    id: int
    happened_at: datetime
    actor: str
    token_id: int | None
    request_id: str | None
    action: Literal["created", "changed", "deleted"] | str
    kind: str
    thing_id: int
    before: dict[str, Any] | None
    after: dict[str, Any] | None
