"""Options and arguments that several commands have."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=0, help="At most so many; 0 for all.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AccountId = Annotated[int, typer.Argument(metavar="ACCOUNT", min=1, help="Number of the Telegram account.")]
CampaignId = Annotated[int, typer.Argument(metavar="CAMPAIGN", min=1, help="Number of the campaign.")]
