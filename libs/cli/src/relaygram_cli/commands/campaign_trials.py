"""``relaygram campaigns preview``, ``test`` and ``stats``: how a campaign will look, and how it goes."""

from typing import TYPE_CHECKING, Annotated

import typer

from relaygram_cli.asking import ask
from relaygram_cli.errors import CommandError
from relaygram_cli.options import CampaignId, Json
from relaygram_cli.output import Column, note, print_json, print_table, print_thing
from relaygram_cli.people_given import With, address, columns
from relaygram_cli.plain_text import plain

if TYPE_CHECKING:
    from relaygram_client import CampaignStats, CampaignTest, Relaygram
    from relaygram_client.campaigns import TestPerson

_Contact = Annotated[int | None, typer.Option(min=1, help="Number of a contact of the campaign.")]
_Step = Annotated[int | None, typer.Option(min=0, help="Which step of its sequence, from 0.")]
_FollowUp = Annotated[int | None, typer.Option(min=0, help="Which of that step's follow-ups, from 0.")]
_SECONDS = 60.0
_STATS: "list[Column[CampaignStats]]" = [
    Column("contacts", lambda s: s.counts.total_contacts),
    Column("pending", lambda s: s.counts.pending),
    Column("sent", lambda s: f"{s.counts.sent} ({s.counts.read} read, {s.counts.replied} replied)"),
    Column("failed", lambda s: s.counts.failed),
    Column("in the last minute", lambda s: s.sent_last_minute),
    Column("estimated end", lambda s: s.estimated_end_at),
]


def preview(
    campaign: CampaignId,
    contact: _Contact = None,
    with_columns: With = None,
    text: Annotated[str | None, typer.Option("--text", help="Try this text instead of the campaign's.")] = None,
    step: _Step = None,
    follow_up: _FollowUp = None,
    as_json: Json = False,
) -> None:
    """Show the text as one person gets it: a contact, somebody made up, or else the first contact."""
    person = columns(with_columns) or None
    found = ask(
        lambda r: r.campaigns.preview(
            campaign, sender_id=contact, contact=person, body=text, step=step, follow_up=follow_up
        )
    )
    if as_json:
        print_json(found.as_json())
        return
    typer.echo(plain(found.text))
    note(f"{found.characters} of {found.limit} characters.")
    if found.tokens_without_value:
        note(f"This person has no {', '.join(found.tokens_without_value)}.")
    if found.problem:
        raise CommandError(f"this text could not be sent: {found.problem}")


def send_test(
    campaign: CampaignId,
    to: Annotated[str | None, typer.Argument(help="A handle, a phone with +, or a Telegram id.")] = None,
    contact: _Contact = None,
    with_columns: With = None,
    step: _Step = None,
    follow_up: _FollowUp = None,
    wait: Annotated[bool, typer.Option(help="Wait until it is sent or has failed.")] = True,
    as_json: Json = False,
) -> None:
    """Send the text once, now, to a contact or to anybody; it counts nowhere."""
    if (to is None) == (contact is None):
        raise typer.BadParameter("give either TO or --contact")
    given = columns(with_columns)
    person: TestPerson = {"sender_id": contact} if to is None else address(to)
    if "first_name" in given:
        person["first_name"] = given.pop("first_name")
    if "last_name" in given:
        person["last_name"] = given.pop("last_name")
    if given:
        person["columns"] = given
    done = ask(lambda r: _tested(r, campaign, person, (step, follow_up), wait=wait))
    if as_json:
        print_json(done.as_json())
    where = f" to {done.destination}" if done.destination else ""
    if done.status in ("failed", "discarded", "expired"):
        why = f"{done.error.code}: {done.error.message}" if done.error else "no reason is known"
        raise CommandError(f"the test{where} was not sent: {why}")
    if not as_json:
        note(f"The test{where} is {done.status}.")


def stats(campaign: CampaignId, as_json: Json = False) -> None:
    """Show counts, the rate, the estimated end, and why messages failed."""
    found = ask(lambda r: r.campaigns.stats(campaign))
    print_thing(found, _STATS, as_json=as_json)
    if found.codes and not as_json:
        print_table(
            [("failed because", "text"), ("messages", "number")], [[one.code, one.count] for one in found.codes]
        )


async def _tested(
    relaygram: "Relaygram", campaign_id: int, person: "TestPerson", place: tuple[int | None, int | None], *, wait: bool
) -> "CampaignTest":
    begun = await relaygram.campaigns.test(campaign_id, step=place[0], follow_up=place[1], **person)
    if not wait:
        return begun
    return await relaygram.campaigns.wait_for_test(campaign_id, begun.job_id, timeout_seconds=_SECONDS)
