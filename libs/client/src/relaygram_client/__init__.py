"""Relaygram's API from Python: typed and async."""

from relaygram_client.client import Relaygram
from relaygram_client.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    ImportFailedError,
    InvalidError,
    NoAnswerError,
    NotFoundError,
    PreconditionFailedError,
    RateLimitedError,
    RelaygramError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    UnexpectedAnswerError,
    UploadBrokenError,
)
from relaygram_client.models.accounts import Limits, TelegramAccount
from relaygram_client.models.audit import Change
from relaygram_client.models.campaigns import Campaign, QuietHours
from relaygram_client.models.channel_logs import (
    ChannelContent,
    ChannelCursor,
    ChannelError,
    ChannelLog,
    ChannelLogRow,
    ChannelPlatform,
    ChannelPrice,
    ChannelStatus,
)
from relaygram_client.models.contacts import Import, ImportedLineError, Sender
from relaygram_client.models.delivery_events import RejectedEvent, TakenEvents
from relaygram_client.models.identity import LoggedIn, Me, NewToken, OwnToken, Token, User, Workspace
from relaygram_client.models.logs import LogError, LogRow, StreamTicket
from relaygram_client.models.media import MediaFile
from relaygram_client.models.people import Erasure, Suppressed, Suppression
from relaygram_client.models.previews import CampaignTest, Preview, PreviewedFor
from relaygram_client.models.send_logs import SendLog, SendLogSearch
from relaygram_client.models.stats import CampaignStats, CodeCount, Counts, MinuteCount
from relaygram_client.models.steps import FollowUp, Step
from relaygram_client.paging import Listing, Page

__all__ = [
    "ApiError",
    "Campaign",
    "CampaignStats",
    "CampaignTest",
    "Change",
    "ChannelContent",
    "ChannelCursor",
    "ChannelError",
    "ChannelLog",
    "ChannelLogRow",
    "ChannelPlatform",
    "ChannelPrice",
    "ChannelStatus",
    "CodeCount",
    "ConflictError",
    "Counts",
    "Erasure",
    "FollowUp",
    "ForbiddenError",
    "Import",
    "ImportFailedError",
    "ImportedLineError",
    "InvalidError",
    "Limits",
    "Listing",
    "LogError",
    "LogRow",
    "LoggedIn",
    "Me",
    "MediaFile",
    "MinuteCount",
    "NewToken",
    "NoAnswerError",
    "NotFoundError",
    "OwnToken",
    "Page",
    "PreconditionFailedError",
    "Preview",
    "PreviewedFor",
    "QuietHours",
    "RateLimitedError",
    "RejectedEvent",
    "Relaygram",
    "RelaygramError",
    "SendLog",
    "SendLogSearch",
    "Sender",
    "Step",
    "StreamTicket",
    "Suppressed",
    "Suppression",
    "TakenEvents",
    "TelegramAccount",
    "Token",
    "TooLargeError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UploadBrokenError",
    "User",
    "Workspace",
]
