"""How a campaign is shown."""

from typing import TYPE_CHECKING

from relaygram_cli.output import Column, as_text, print_thing

if TYPE_CHECKING:
    from relaygram_client import Campaign

COLUMNS: "list[Column[Campaign]]" = [
    Column("id", lambda c: c.id, "number"),
    Column("name", lambda c: c.name),
    Column("mode", lambda c: c.mode),
    Column("status", lambda c: c.status, "status"),
    Column("contacts", lambda c: c.total_contacts, "number"),
    Column("sent", lambda c: c.sent_count, "number"),
    Column("failed", lambda c: c.failed_count, "number"),
    Column("pending", lambda c: c.pending_count, "number"),
]
_FIELDS: "list[Column[Campaign]]" = [
    *COLUMNS[:4],
    Column("reason", lambda c: c.status_reason or c.misfire),
    Column("waiting for", lambda c: c.waiting_for),
    Column("account", lambda c: c.telegram_account_id),
    Column("keyword", lambda c: c.trigger_keyword),
    Column("text", lambda c: c.body),
    Column("media", lambda c: c.attachments),
    Column("contacts", lambda c: c.total_contacts),
    Column("sent", lambda c: f"{c.sent_count} ({c.read_count} read, {c.reply_count} replied)"),
    Column("failed", lambda c: c.failed_count),
    Column("pending", lambda c: c.pending_count),
    Column("next send", lambda c: c.next_send_at),
    Column("scheduled", lambda c: c.scheduled_at),
    Column("started", lambda c: c.started_at),
    Column("completed", lambda c: c.completed_at),
    Column("time zone", lambda c: c.time_zone),
    Column("quiet hours", lambda c: f"{c.quiet_hours.start}-{c.quiet_hours.end}" if c.quiet_hours else None),
    Column("reference", lambda c: c.reference),
    Column("entity", lambda c: c.entity_id),
    Column("application", lambda c: c.application_id),
    Column("made", lambda c: as_text(c.created_at)),
]


def show_campaign(campaign: "Campaign", *, as_json: bool) -> None:
    """All of it."""
    print_thing(campaign, _FIELDS, as_json=as_json)
