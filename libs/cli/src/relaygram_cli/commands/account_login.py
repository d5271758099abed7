"""``relaygram accounts connect`` and the steps of a log-in at Telegram: code, password, another code."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from relaygram_cli.asking import ask
from relaygram_cli.errors import CommandError
from relaygram_cli.options import AccountId, Json
from relaygram_cli.output import note, print_json
from relaygram_cli.prompts import asked, secret

if TYPE_CHECKING:
    from relaygram_client import Relaygram, TelegramAccount
    from relaygram_client.accounts import AccountOptions, Credential

_SECONDS = 60.0
_STEP_SECONDS = 8.0
_POLL_SECONDS = 0.5
# What the gateway is done with: it waits for a person, or the account is ready, or it will never be.
_SETTLED = ("code_required", "password_required", "active", "backing_off", "disabled", "logged_out")
_MOST_TRIES = 5


_Phone = Annotated[str | None, typer.Option(help="A person's account: its number, like +4915112345678.")]
_Bot = Annotated[bool, typer.Option("--bot", help="A bot; its token is asked for.")]
_Session = Annotated[bool, typer.Option("--session", help="A Telethon StringSession; it is asked for.")]
_SecretStdin = Annotated[
    bool, typer.Option("--secret-stdin", help="Read the bot's token or the session from standard input.")
]
_Wait = Annotated[bool, typer.Option(help="Wait, and ask for code and password, until it is active.")]


def connect(
    phone: _Phone = None,
    bot: _Bot = False,
    session: _Session = False,
    name: Annotated[str | None, typer.Option(help="What to call the account here.")] = None,
    api_id: Annotated[int | None, typer.Option(min=1, help="An application of its own at my.telegram.org.")] = None,
    api_hash: Annotated[str | None, typer.Option(envvar="RELAYGRAM_ACCOUNT_API_HASH", help="Its hash.")] = None,
    proxy: Annotated[
        str | None, typer.Option(envvar="RELAYGRAM_ACCOUNT_PROXY", help="Like socks5://user:secret@host:1080.")
    ] = None,
    secret_stdin: _SecretStdin = False,
    wait: _Wait = True,
    as_json: Json = False,
) -> None:
    """Connect a Telegram account: by phone (it gets a code), by a bot's token, or by a session."""
    credential = _credential(phone, is_bot=bot, is_session=session, from_stdin=secret_stdin)
    options: AccountOptions = {"name": name}
    if api_id is not None or api_hash is not None:
        options.update({"api_id": api_id, "api_hash": api_hash})
    if proxy is not None:
        options["proxy"] = proxy
    account = ask(lambda r: _begun(r, credential, options))
    _tell(_seen_through(account) if wait else account, as_json=as_json)


def connect_again(
    account: AccountId,
    phone: _Phone = None,
    bot: _Bot = False,
    session: _Session = False,
    secret_stdin: _SecretStdin = False,
    wait: _Wait = True,
    as_json: Json = False,
) -> None:
    """Log a disabled account in anew, under the same number; its campaigns go on when it is active."""
    credential = _credential(phone, is_bot=bot, is_session=session, from_stdin=secret_stdin)
    begun = ask(lambda r: r.accounts.connect_again(account, **credential))
    _tell(_seen_through(begun) if wait else begun, as_json=as_json)


def code(
    account: AccountId,
    code: Annotated[str | None, typer.Argument(help="Asked for where it is not given.")] = None,
    as_json: Json = False,
) -> None:
    """Enter the code that Telegram sent to the account."""
    given = code or secret("Code", from_stdin=not sys.stdin.isatty(), option="standard input")
    _tell(ask(lambda r: _code_entered(r, account, given)), as_json=as_json)


def password(
    account: AccountId,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Enter the two-step password of the account."""
    given = secret("Two-step password", from_stdin=password_stdin, option="--password-stdin")
    _tell(ask(lambda r: _password_entered(r, account, given)), as_json=as_json)


def resend_code(account: AccountId, as_json: Json = False) -> None:
    """Ask Telegram for another code."""
    _tell(ask(lambda r: r.accounts.resend_code(account)), as_json=as_json)


def _credential(phone: str | None, *, is_bot: bool, is_session: bool, from_stdin: bool) -> "Credential":
    """What the account is connected with; secrets are asked for."""
    if [phone is not None, is_bot, is_session].count(True) != 1:
        raise typer.BadParameter("give exactly one of --phone, --bot, --session")
    if phone is not None:
        return {"phone": phone}
    if is_bot:
        return {"bot_token": secret("Bot token", from_stdin=from_stdin, option="--secret-stdin")}
    return {"session_string": secret("Session string", from_stdin=from_stdin, option="--secret-stdin")}


async def _begun(relaygram: "Relaygram", credential: "Credential", options: "AccountOptions") -> "TelegramAccount":
    match credential:
        case {"phone": str(phone)}:
            return await relaygram.accounts.connect_phone(phone, **options)
        case {"bot_token": str(token)}:
            return await relaygram.accounts.connect_bot(token, **options)
    return await relaygram.accounts.connect_session(credential["session_string"] or "", **options)


def _seen_through(account: "TelegramAccount") -> "TelegramAccount":
    """Wait for what Telegram says, and ask the person what it asks for."""
    if sys.stderr.isatty():
        note("Waiting for Telegram …")
    account = ask(lambda r: _settled(r, account.id))
    return _finished(account) if sys.stdin.isatty() else account


def _finished(account: "TelegramAccount") -> "TelegramAccount":
    """Ask the person for what Telegram asks for, a few times."""
    for _ in range(_MOST_TRIES):
        if account.status not in ("code_required", "password_required"):
            break
        account = _step(account)
    return account


def _step(account: "TelegramAccount") -> "TelegramAccount":
    if account.status_reason:
        note(account.status_reason)
    if account.status == "code_required":
        code_given = asked("The code that Telegram sent")
        return ask(lambda r: _code_entered(r, account.id, code_given))
    password_given = asked("The account's two-step password", hidden=True)
    return ask(lambda r: _password_entered(r, account.id, password_given))


async def _code_entered(relaygram: "Relaygram", account_id: int, given: str) -> "TelegramAccount":
    before = await relaygram.accounts.get(account_id)
    await relaygram.accounts.enter_code(account_id, given)
    return await _moved_on(relaygram, before)


async def _password_entered(relaygram: "Relaygram", account_id: int, given: str) -> "TelegramAccount":
    before = await relaygram.accounts.get(account_id)
    await relaygram.accounts.enter_password(account_id, given)
    return await _moved_on(relaygram, before)


async def _settled(relaygram: "Relaygram", account_id: int) -> "TelegramAccount":
    return await relaygram.accounts.wait(account_id, _SETTLED, timeout_seconds=_SECONDS)


async def _moved_on(relaygram: "Relaygram", before: "TelegramAccount") -> "TelegramAccount":
    """What came of the step. The same refusal twice looks as if nothing had happened: so not for ever."""
    import asyncio

    deadline = time.monotonic() + _STEP_SECONDS
    while True:
        account = await relaygram.accounts.get(before.id)
        moved = (account.status, account.status_reason) != (before.status, before.status_reason)
        if moved or time.monotonic() > deadline:
            return account
        await asyncio.sleep(_POLL_SECONDS)


def _tell(account: "TelegramAccount", *, as_json: bool) -> None:
    """Where the account stands, and what is next. Raises CommandError for one that will never be active."""
    if as_json:
        print_json(account.as_json())
    if account.status in ("disabled", "logged_out"):
        raise CommandError(f"account {account.id} is {account.status}: {account.status_reason or 'no reason is known'}")
    if as_json:
        return
    match account.status:
        case "active":
            note(f"Account {account.id} is active" + (f" as {account.handle}." if account.handle else "."))
        case "code_required" | "password_required":
            said = f" {account.status_reason}" if account.status_reason else ""
            verb = account.status.removesuffix("_required")
            note(f"Account {account.id} waits for a {verb}.{said} Next: relaygram accounts {verb} {account.id}")
        case _:
            note(f"Account {account.id} is {account.status}. Look again: relaygram accounts show {account.id}")
