"""What can go wrong with a call, as a small tree: RelaygramError, below it ApiError for what the API refuses."""

from collections.abc import Mapping, Sequence

FieldErrors = Mapping[str, Sequence[str]]


class RelaygramError(Exception):
    """Every error of this package."""


class NoAnswerError(RelaygramError):
    """The API could not be reached or did not answer in time, also after trying again."""


class UploadBrokenError(NoAnswerError):
    """The connection was closed before all of a body was sent: mostly a refusal that could not be read any more."""


class UnexpectedAnswerError(RelaygramError):
    """Something answered that is not Relaygram's API, or not a version that this client understands."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        #: Of the answer, where its body said nothing that is understood.
        self.status = status


class ImportFailedError(RelaygramError):
    """An import of contacts ended without having taken its file."""


class ApiError(RelaygramError):
    """The API refused. `code` is a word for programs, `request_id` finds the request in the server's logs."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        fields: FieldErrors | None = None,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        #: What is wrong with which field; only with 422, and 400 of channel logs.
        self.fields: dict[str, list[str]] = {name: list(said) for name, said in (fields or {}).items()}
        self.request_id = request_id
        #: Seconds that the server asks to wait; only with 429 and 503.
        self.retry_after = retry_after


class UnauthenticatedError(ApiError):
    """401: no token, or one that is unknown, expired or revoked; at a log-in: a wrong e-mail or password."""


class ForbiddenError(ApiError):
    """403: the token lacks the ability."""


class NotFoundError(ApiError):
    """404: there is no such thing in this workspace."""


class ConflictError(ApiError):
    """409: the state of the thing forbids it; the message says from what to what."""


class PreconditionFailedError(ApiError):
    """412: the thing has changed since it was read."""


class TooLargeError(ApiError):
    """413: the body is over its bound."""


class InvalidError(ApiError):
    """422, in channel logs and send logs 400: `fields` says what is wrong with which field."""


class RateLimitedError(ApiError):
    """429: too many requests, also after waiting as long as `attempts` and `longest_wait_seconds` allow."""


class UnavailableError(ApiError):
    """503: the server can not reach its database."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionFailedError,
    413: TooLargeError,
    422: InvalidError,
    429: RateLimitedError,
    503: UnavailableError,
}


def error_class(status: int) -> type[ApiError]:
    """The class for a status; ApiError itself for those without one of their own."""
    return _BY_STATUS.get(status, ApiError)
