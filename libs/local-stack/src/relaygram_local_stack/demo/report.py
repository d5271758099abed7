"""Prints the end of the demo: a page of the log, the failures by code, what was rejected, the verdict."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from relaygram_local_stack.demo.conversations import Conversation
from relaygram_local_stack.demo.verdict import Verdict


def print_log_page(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """A page of the log as a table that fits 80 columns."""
    table = Table(title="GET /api/v1/campaigns/{id}/logs", title_justify="left", expand=True)
    table.add_column("id", justify="right", min_width=4)
    table.add_column("status", min_width=6)
    table.add_column("message", justify="right", min_width=7)
    table.add_column("sent at", min_width=8)
    table.add_column("text or error", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        text = row["error"]["code"] if row["error"] else row["body"]
        sent_at = (row["sent_at"] or "")[11:19]
        table.add_row(str(row["id"]), row["status"], row["telegram_message_id"] or "", sent_at, text)
    console.print(table)


def print_failures(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """How many failed, and why."""
    errors = [row["error"] for row in rows if row["status"] == "failed" and row["error"]]
    messages = {error["code"]: error["message"] for error in errors}
    table = Table(title="Failures by code", title_justify="left")
    table.add_column("code", no_wrap=True)
    table.add_column("count", justify="right")
    table.add_column("message")
    for code, count in Counter(error["code"] for error in errors).most_common():
        table.add_row(code, str(count), messages[code])
    console.print(table)


def print_rejected(console: Console, errors: Sequence[dict[str, Any]]) -> None:
    """What the import refused, line by line."""
    table = Table(title="Rejected lines of the contacts file", title_justify="left")
    for heading in ("line", "column", "value", "reason"):
        table.add_column(heading)
    for error in errors:
        table.add_row(str(error["line"]), error["column"], error["value"] or "", error["reason"])
    console.print(table)


def print_conversations(console: Console, conversations: Sequence[Conversation]) -> None:
    """Who got what of the sequence and the auto-reply."""
    table = Table(title="Sequence, follow-up, auto-reply (a second here is an hour)", title_justify="left", expand=True)
    table.add_column("person", no_wrap=True)
    table.add_column("what happens", ratio=1)
    table.add_column("what Telegram got", ratio=2)
    for one in conversations:
        table.add_row(one.name, one.story, "\n".join(one.texts), style=None if one.is_right else "red")
    console.print(table)


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Which were lost or doubled, if any, and the one line."""
    for problem in (*verdict.lost, *verdict.doubled):
        console.print(problem, style="red", highlight=False)
    console.print(verdict.line, highlight=False, soft_wrap=True)
