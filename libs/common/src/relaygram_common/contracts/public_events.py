"""Campaign, account, contact and inbound events. Public; additive changes only."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from relaygram_common.contracts.cloud_events import cloud_event_headers
from relaygram_common.contracts.delivery import MAX_ID
from relaygram_common.contracts.states import AccountStatus


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    event_id: UUID
    workspace_id: int


class CampaignEvent(_Event):
    """Subject: `campaign.event.<workspace>.<kind>.<campaign>`."""

    campaign_id: int
    version: int
    kind: Literal["started", "paused", "resumed", "stopped", "completed", "deleted", "failed_to_start"]
    reason: str | None
    actor: str
    occurred_at: AwareDatetime
    counts: dict[str, int]


class AccountEvent(_Event):
    """Subject: `account.event.<workspace>.<kind>.<account>`."""

    account_id: int
    kind: Literal["connected", "code_required", "password_required", "backing_off", "disabled", "logged_out"]
    status: AccountStatus
    reason: str | None
    until: AwareDatetime | None
    occurred_at: AwareDatetime


class ContactEvent(_Event):
    """Subject: `contact.event.<workspace>.<kind>.<campaign>`."""

    campaign_id: int
    sender_id: int
    kind: Literal["replied", "opted_out"]
    occurred_at: AwareDatetime


class InboundMessage(_Event):
    """Subject: `message.inbound.<workspace>.<account>`."""

    workspace_id: int = Field(ge=1, le=MAX_ID)
    account_id: int = Field(ge=1, le=MAX_ID)
    message_id: int = Field(ge=1, le=MAX_ID)
    from_id: int = Field(ge=1, le=MAX_ID)
    from_handle: str | None
    from_first_name: str | None
    text: str
    media: dict[str, Any] | None
    date: AwareDatetime

    @property
    def subject(self) -> str:
        """Where this event is published."""
        return f"message.inbound.{self.workspace_id}.{self.account_id}"

    @property
    def headers(self) -> dict[str, str]:
        """Its CloudEvents headers."""
        return cloud_event_headers(
            event_id=self.event_id,
            event_type="com.relaygram.message.inbound.v1",
            workspace_id=self.workspace_id,
            time=self.date,
        )
