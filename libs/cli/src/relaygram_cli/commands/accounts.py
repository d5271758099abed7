"""``relaygram accounts``: the Telegram accounts that send."""

from typing import TYPE_CHECKING, Annotated

import typer

from relaygram_cli.asking import ask
from relaygram_cli.commands import account_login
from relaygram_cli.options import AccountId, Json, Limit, Yes
from relaygram_cli.output import Column, note, print_json, print_thing, print_things, taken
from relaygram_cli.prompts import sure

if TYPE_CHECKING:
    from relaygram_client import TelegramAccount
    from relaygram_client.accounts import LimitChanges

app = typer.Typer(no_args_is_help=True, help="Telegram accounts that send: connect them, and set their limits.")
app.command()(account_login.connect)
app.command()(account_login.connect_again)
app.command()(account_login.code)
app.command()(account_login.password)
app.command()(account_login.resend_code)

_COLUMNS: "list[Column[TelegramAccount]]" = [
    Column("id", lambda a: a.id, "number"),
    Column("name", lambda a: a.name),
    Column("kind", lambda a: a.kind),
    Column("handle", lambda a: a.handle),
    Column("status", lambda a: a.status, "status"),
    Column("last hour", lambda a: a.sent_last_hour, "number"),
    Column("today", lambda a: a.sent_today, "number"),
    Column("reason", lambda a: a.status_reason),
]


def _limit(number: int | None) -> str:
    return "no limit" if number is None else str(number)


_FIELDS: "list[Column[TelegramAccount]]" = [
    *_COLUMNS[:5],
    Column("reason", lambda a: a.status_reason),
    Column("backing off until", lambda a: a.backing_off_until),
    Column("Telegram id", lambda a: a.telegram_user_id),
    Column("run by", lambda a: a.gateway),
    Column("sent", lambda a: f"{a.sent_last_hour} in the last hour, {a.sent_today} today"),
    Column("messages a second", lambda a: _limit(a.limits.messages_per_second)),
    Column("messages an hour", lambda a: _limit(a.limits.messages_per_hour)),
    Column("messages a day", lambda a: _limit(a.limits.messages_per_day)),
    Column("look-ups a minute", lambda a: _limit(a.limits.resolves_per_minute)),
    Column("warm-up", lambda a: a.limits.warm_up),
]


@app.command("list")
def list_accounts(limit: Limit = 100, as_json: Json = False) -> None:
    """List the accounts of the workspace."""
    found = ask(lambda r: taken(r.accounts.list(), limit))
    print_things(
        found, _COLUMNS, as_json=as_json, nothing="There are no accounts yet: relaygram accounts connect --phone +49…"
    )


@app.command()
def show(account: AccountId, as_json: Json = False) -> None:
    """Show an account with its limits."""
    print_thing(ask(lambda r: r.accounts.get(account)), _FIELDS, as_json=as_json)


def _limit_given(text: str | None, option: str) -> int | None:
    if text == "none":
        return None
    if text is None or not (text.isascii() and text.isdecimal()):
        raise typer.BadParameter(f"{text!r} is neither a number nor none", param_hint=option)
    return int(text)


@app.command("set-limits")
def set_limits(
    account: AccountId,
    per_second: Annotated[str | None, typer.Option(metavar="N|none", help="Messages a second; none: no limit.")] = None,
    per_hour: Annotated[str | None, typer.Option(metavar="N|none", help="Messages an hour.")] = None,
    per_day: Annotated[str | None, typer.Option(metavar="N|none", help="Messages a day.")] = None,
    resolves_per_minute: Annotated[
        str | None, typer.Option(metavar="N|none", help="Handles and phones looked up a minute.")
    ] = None,
    warm_up: Annotated[
        bool | None, typer.Option("--warm-up/--no-warm-up", help="At most 20 an hour in the first 24 h.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change how fast an account may write; what is not given stays. In effect within a second."""
    limits: LimitChanges = {}
    if per_second is not None:
        limits["messages_per_second"] = _limit_given(per_second, "--per-second")
    if per_hour is not None:
        limits["messages_per_hour"] = _limit_given(per_hour, "--per-hour")
    if per_day is not None:
        limits["messages_per_day"] = _limit_given(per_day, "--per-day")
    if resolves_per_minute is not None:
        limits["resolves_per_minute"] = _limit_given(resolves_per_minute, "--resolves-per-minute")
    if warm_up is not None:
        limits["warm_up"] = warm_up
    if not limits:
        raise typer.BadParameter("give at least one limit")
    print_thing(ask(lambda r: r.accounts.update(account, limits=limits)), _FIELDS, as_json=as_json)


@app.command()
def delete(account: AccountId, yes: Yes = False, as_json: Json = False) -> None:
    """Log an account out at Telegram and forget it; its running campaigns pause."""
    sure(f"Log account {account} out at Telegram and forget it?", yes=yes)
    ask(lambda r: r.accounts.delete(account))
    if as_json:
        print_json({"id": account, "deleted": True})
    else:
        note(f"Account {account} is logged out.")
