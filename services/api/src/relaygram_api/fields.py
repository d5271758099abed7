"""Types of body and query fields that several nouns share."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, StringConstraints

from relaygram_api.core.moments import parse_moment
from relaygram_common.contracts.delivery import MAX_ID

_INTEGER = re.compile("-?[0-9]+")


class Body(BaseModel):
    """A JSON object whose unknown fields are named rather than ignored."""

    model_config = ConfigDict(extra="forbid")


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def no_nul(text: str) -> str:
    """The text. Raises ValueError when PostgreSQL could not hold it."""
    if "\0" in text:
        raise ValueError("must not contain the character NUL")
    return text


def _digits(value: object) -> object:
    # int() takes 1_000, blanks and the digits of other scripts as well.
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise ValueError("should be a whole number")
    return value


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("should be a time in ISO 8601, such as 2026-04-21T16:02:45Z")
    return parse_moment(value).astimezone(UTC)


Name = Annotated[StrictStr, StringConstraints(max_length=255), AfterValidator(_not_blank)]
ShortText = Annotated[StrictStr, StringConstraints(min_length=1, max_length=255)]
Id = Annotated[int, Field(strict=True, ge=1, le=MAX_ID)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
QueryText = Annotated[str, StringConstraints(max_length=255), AfterValidator(no_nul)]
Digits = BeforeValidator(_digits)
QueryId = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=MAX_ID)]
Page = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=MAX_ID)]
Position = Annotated[int, BeforeValidator(_digits), Field(ge=0, le=2**31 - 1)]
Revision = Annotated[int, BeforeValidator(_digits), Field(ge=0, le=MAX_ID)]
PerPage = Annotated[int, BeforeValidator(_digits), Field(ge=1)]


def offset_of(page: int, per_page: int) -> int:
    """Rows before a page; a page beyond what can be counted is as empty as any other past the end."""
    return min((page - 1) * per_page, MAX_ID - per_page)
