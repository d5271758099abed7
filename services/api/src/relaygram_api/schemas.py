"""What answers look like, for the OpenAPI document; a test compares each with the real answers."""

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from relaygram_common.contracts.states import AccountStatus, CampaignStatus

Thing = TypeVar("Thing")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class One(_Shape, Generic[Thing]):
    """One thing."""

    data: Thing
    meta: dict[str, Any] = {}

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """What the document calls it."""
        return f"{params[0].__name__}Answer"


class Pagination(_Shape):
    """Where a page lies in its list."""

    current_page: int
    per_page: int
    total: int
    last_page: int
    total_is_capped: bool | None = Field(default=None, description="With filters: `total` stopped counting at 10,000.")


class Cursor(_Shape):
    """How to go on."""

    next: str | None


class ListMeta(_Shape):
    """Beside a list."""

    pagination: Pagination
    cursor: Cursor | None = None


class Many(_Shape, Generic[Thing]):
    """A page of a list."""

    data: list[Thing]
    meta: ListMeta

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """What the document calls it."""
        return f"{params[0].__name__}List"


class User(_Shape):
    """Who logged in."""

    id: int
    email: str
    name: str


class LoggedIn(_Shape):
    """A new token, to be read only now."""

    token: str
    abilities: list[str]
    user: User


class Workspace(_Shape):
    """Where the user works."""

    id: int
    name: str


class OwnToken(_Shape):
    """The token of this call."""

    id: int
    name: str
    abilities: list[str]
    expires_at: str | None


class Me(User):
    """The user, workspace and token of this call."""

    workspace: Workspace
    token: OwnToken


class Token(_Shape):
    """A token without its secret."""

    id: int
    name: str
    abilities: list[str]
    expires_at: str | None
    last_used_at: str | None
    created_at: str


class NewToken(Token):
    """A token with its secret, shown once."""

    token: str


class Limits(_Shape):
    """How fast an account may write; null is no limit."""

    messages_per_second: int | None
    messages_per_hour: int | None
    messages_per_day: int | None
    warm_up: bool
    resolves_per_minute: int | None


class TelegramAccount(_Shape):
    """An account that sends."""

    id: int
    name: str | None
    kind: Literal["user", "bot"]
    telegram_user_id: int | None
    handle: str | None
    status: AccountStatus
    status_reason: str | None
    backing_off_until: str | None
    limits: Limits
    gateway: str | None = Field(description="The gateway that runs it.")
    sent_last_hour: int
    sent_today: int


class QuietHoursShown(_Shape):
    """When nobody is written to."""

    start: str
    end: str


class Campaign(_Shape):
    """A campaign with its counts."""

    id: int
    name: str
    mode: Literal["broadcast", "auto_reply"]
    trigger_keyword: str | None
    body: str
    status: CampaignStatus
    telegram_account_id: int
    scheduled_at: str | None
    started_at: str | None
    completed_at: str | None
    total_contacts: int
    sent_count: int
    failed_count: int
    status_reason: Literal["user", "content_error", "account_down"] | None
    next_send_at: str | None
    waiting_for: str | None
    pending_count: int
    read_count: int
    reply_count: int
    created_at: str
    updated_at: str
    time_zone: str | None
    quiet_hours: QuietHoursShown | None
    reference: str | None
    entity_id: str | None
    application_id: str | None
    attachments: list[int]


class Import(_Shape):
    """How far an import is."""

    id: int
    campaign_id: int
    status: Literal["queued", "running", "completed", "failed"]
    received: int
    accepted: int
    duplicates: int
    rejected: int
    message: str | None = Field(description="Why it failed.")
    created_at: str
    finished_at: str | None


class ImportedLineError(_Shape):
    """Why a line was rejected; `column` is empty when it is about the whole line."""

    line: int
    column: str
    value: str | None
    reason: str


class Sender(_Shape):
    """A contact of a campaign."""

    id: int
    campaign_id: int
    telegram_user_id: int | None
    handle: str | None
    first_name: str | None
    last_name: str | None
    status: Literal["pending", "sent", "replied", "failed"]
    last_message_at: str | None
    last_reply_at: str | None
    tags: list[str]


class LogError(_Shape):
    """Why a message failed."""

    code: str
    message: str


class LogRow(_Shape):
    """One message to one person."""

    id: int
    campaign_id: int
    sender_id: int | None
    direction: Literal["outbound"]
    body: str | None
    status: Literal["pending", "sent", "failed"]
    telegram_message_id: str | None
    triggered_by_message_id: str | None
    sequence_step: int | None
    error: LogError | None
    sent_at: str | None
    created_at: str
    revision: int
    attempts: int
    read_at: str | None
    replied_at: str | None
    job_id: str
