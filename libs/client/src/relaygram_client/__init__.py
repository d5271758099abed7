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
)
from relaygram_client.models.accounts import Limits, TelegramAccount
from relaygram_client.models.campaigns import Campaign, QuietHours
from relaygram_client.models.contacts import Import, ImportedLineError, Sender
from relaygram_client.models.identity import LoggedIn, Me, NewToken, OwnToken, Token, User, Workspace
from relaygram_client.models.logs import LogError, LogRow
from relaygram_client.paging import Listing, Page

__all__ = [
    "ApiError",
    "Campaign",
    "ConflictError",
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
    "NewToken",
    "NoAnswerError",
    "NotFoundError",
    "OwnToken",
    "Page",
    "PreconditionFailedError",
    "QuietHours",
    "RateLimitedError",
    "Relaygram",
    "RelaygramError",
    "Sender",
    "TelegramAccount",
    "Token",
    "TooLargeError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "User",
    "Workspace",
]
