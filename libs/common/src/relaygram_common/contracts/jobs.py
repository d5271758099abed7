"""Send jobs: ids only, no text, no personal data. What to send is read when the gateway admits the job."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from relaygram_common.contracts.delivery import MAX_ID, Trigger


class SendJob(BaseModel):
    """One message to one person. Subject: `send.job.<account>.<campaign>`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_id: UUID
    workspace_id: int = Field(ge=1, le=MAX_ID)
    account_id: int = Field(ge=1, le=MAX_ID)
    campaign_id: int = Field(ge=0, le=MAX_ID)  # 0: a test send; then contact_id is its row's id, and there is no run
    contact_id: int = Field(ge=1, le=MAX_ID)
    run_id: int = Field(ge=0, le=MAX_ID)
    step: int = Field(ge=0, le=2**31 - 1)
    trigger: Trigger
    queued_at: AwareDatetime

    @property
    def subject(self) -> str:
        """Where this job waits."""
        return f"send.job.{self.account_id}.{self.campaign_id}"
