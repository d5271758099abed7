"""Receipts: what people did with the messages of a chat. Private; the log-writer applies them to its rows."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from relaygram_common.contracts.delivery import MAX_ID


class Receipt(BaseModel):
    """One person's doing in the chat with one account. Subject: `receipt.<workspace>.<account>`.

    `read`: everything up to `message_id` was read. `reply`: the message `message_id` came from the person.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    workspace_id: int = Field(ge=1, le=MAX_ID)
    account_id: int = Field(ge=1, le=MAX_ID)
    chat_id: int = Field(ge=1, le=MAX_ID)  # the person's Telegram id
    kind: Literal["read", "reply"]
    message_id: int = Field(ge=1, le=MAX_ID)
    occurred_at: AwareDatetime

    @property
    def subject(self) -> str:
        """Where it is published."""
        return f"receipt.{self.workspace_id}.{self.account_id}"
