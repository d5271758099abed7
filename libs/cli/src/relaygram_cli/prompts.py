"""Passwords and codes: asked for without showing them, or read from standard input; never taken as an argument."""

import sys

import typer

from relaygram_cli.errors import CommandError


def secret(question: str, *, from_stdin: bool, option: str, confirm: bool = False) -> str:
    """One secret. `option` is what to use where nobody can be asked."""
    if from_stdin:
        text = sys.stdin.readline().rstrip("\r\n")
        if not text:
            raise CommandError(f"{option}: standard input is empty")
        return text
    demand_terminal(question, f"give it on standard input with {option}")
    return asked(question, hidden=True, confirm=confirm)


def asked(question: str, *, hidden: bool = False, confirm: bool = False) -> str:
    """What a person types; Ctrl-C ends the command quietly."""
    try:
        answer: str = typer.prompt(question, hide_input=hidden, confirmation_prompt=confirm, err=True)
    except typer.Abort:
        sys.stderr.write("\n")
        raise typer.Exit(130) from None
    return answer


def demand_terminal(question: str, otherwise: str) -> None:
    """Raise CommandError where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise CommandError(f"there is no terminal to ask on: {question}", what_to_do=otherwise)


def sure(question: str, *, yes: bool) -> None:
    """Ask before what can not be undone."""
    if yes:
        return
    demand_terminal(question, "say --yes")
    typer.confirm(question, abort=True, err=True)
