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
    # 0: a test send or an opt-out's confirmation; then contact_id is its row's id, and there is no run.
    campaign_id: int = Field(ge=0, le=MAX_ID)
    contact_id: int = Field(ge=1, le=MAX_ID)
    run_id: int = Field(ge=0, le=MAX_ID)
    step: int = Field(ge=0, le=2**31 - 1)  # its position when the job was made, for the log
    step_identity: int = Field(default=0, ge=0, le=MAX_ID)  # which step it is, wherever that stands now; 0: the body
    follow_up: int | None = Field(default=None, ge=0, le=2**31 - 1)  # which of the step's follow-ups
    trigger: Trigger
    triggered_by_message_id: int | None = Field(default=None, ge=1, le=MAX_ID)
    queued_at: AwareDatetime
    expires_at: AwareDatetime | None = None  # after that it is not to be sent any more

    @property
    def subject(self) -> str:
        """Where this job waits."""
        return f"send.job.{self.account_id}.{self.campaign_id}"
