"""One question to the API: the client of the current login, and its errors in words for a terminal."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from relaygram_cli.errors import CommandError
from relaygram_cli.saved_login import TOKEN_VARIABLE, URL_VARIABLE, Login, current_login

if TYPE_CHECKING:
    from relaygram_client import ApiError, Relaygram, RelaygramError

Answer = TypeVar("Answer")
_LOG_IN = f"log in: relaygram login (or set {URL_VARIABLE} and {TOKEN_VARIABLE})"


def ask(question: "Callable[[Relaygram], Coroutine[Any, Any, Answer]]", login: Login | None = None) -> Answer:
    """Run the question to its end. Raises CommandError; Ctrl-C ends the command quietly."""
    import asyncio  # here: `relaygram --help` stays quick

    chosen = login or current_login()
    try:
        return asyncio.run(_asked(question, chosen))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _asked(question: "Callable[[Relaygram], Coroutine[Any, Any, Answer]]", login: Login) -> Answer:
    from relaygram_client import Relaygram, RelaygramError

    try:
        relaygram = Relaygram(login.url, login.token)
    except ValueError as error:
        raise CommandError(str(error), what_to_do=f"correct {URL_VARIABLE} or log in again") from error
    async with relaygram:
        try:
            return await question(relaygram)
        except RelaygramError as error:
            raise _in_words(error, login) from error
        except TimeoutError as error:
            raise CommandError("it takes too long; what was begun goes on without us") from error


def _in_words(error: "RelaygramError", login: Login) -> CommandError:
    from relaygram_client import ApiError, NoAnswerError, UploadBrokenError

    if isinstance(error, ApiError):
        return _refused(error, login)
    if isinstance(error, NoAnswerError) and not isinstance(error, UploadBrokenError):
        advice = f"is it running there? {URL_VARIABLE} or `relaygram login` give another address; try: relaygram doctor"
        return CommandError(str(error), what_to_do=advice)
    return CommandError(str(error))


def _refused(error: "ApiError", login: Login) -> CommandError:
    problems = [f"{field}: {problem}" for field, said in error.fields.items() for problem in said]
    if len(problems) == 1:
        advice = "relaygram contacts import CAMPAIGN FILE" if error.code == "no_contacts" else ""
        return CommandError(problems[0], what_to_do=advice)
    if problems:
        return CommandError(f"{len(problems)} things are wrong", details=problems)
    return CommandError(error.message, what_to_do=_advice(error, login))


def _advice(error: "ApiError", login: Login) -> str:
    match error.status:
        case 401 if error.code != "invalid_credentials":
            return _LOG_IN if login.token is None else f"the token is not valid (any more); {_LOG_IN}"
        case 403:
            return "use a token that has this ability: relaygram tokens create, or relaygram login"
        case 429 if error.retry_after:
            return f"try again in {error.retry_after:.0f} s"
        case 503:
            return "try again in a moment; whoever runs the installation may ask: relaygram doctor"
        case status if status >= 500:
            return f"look for request {error.request_id} in the api's log"
    return ""
