"""Doorbells: which row changed, for who wants to look. They may be lost, doubled and reordered without harm."""

from pydantic import BaseModel, ConfigDict, Field

from relaygram_common.contracts.delivery import MAX_ID


class CampaignCommand(BaseModel):
    """Subject: `campaign.command.<verb>.<workspace>.<campaign>`. The verb is for people; the row decides."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    workspace_id: int = Field(ge=1, le=MAX_ID)
    campaign_id: int = Field(ge=1, le=MAX_ID)
    version: int = Field(ge=1, le=MAX_ID)


class AccountCommand(BaseModel):
    """Subject: `account.command.<verb>.<workspace>.<account>`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    workspace_id: int = Field(ge=1, le=MAX_ID)
    account_id: int = Field(ge=1, le=MAX_ID)


class CampaignStateEntry(BaseModel):
    """The value in KV `campaign_state` under `<account>.<campaign>`; a missing key means: ask PostgreSQL."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: str
    version: int = Field(ge=1, le=MAX_ID)
    mode: str


class LogChanged(BaseModel):
    """Rings on core NATS (`log.changed.<campaign>`) after each commit of the log: what is newer can be read now."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    campaign_id: int = Field(ge=0, le=MAX_ID)
    revision: int = Field(ge=1, le=MAX_ID)

    @property
    def subject(self) -> str:
        """Where it rings."""
        return f"log.changed.{self.campaign_id}"
