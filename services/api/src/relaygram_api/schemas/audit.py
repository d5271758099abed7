"""The audit log."""

from typing import Any, Literal

from pydantic import Field

from relaygram_api.schemas.envelopes import Shape


class Change(Shape):
    """Who changed what, and when; secrets are only said to be there."""

    id: int
    happened_at: str
    actor: str = Field(description="`user:7`, `dispatcher`, `gateway`, `api` (background work) or `command_line`.")
    token_id: int | None
    request_id: str | None
    action: Literal["created", "changed", "deleted"]
    kind: str = Field(description="What was changed: `campaign`, `token`, …")
    thing_id: int
    before: dict[str, Any] | None = Field(description="The fields that changed, as they were.")
    after: dict[str, Any] | None = Field(description="The fields that changed, as they are now.")
