"""Which queues of SEND_JOBS nobody will ever work off, and what becomes of what waits there."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from relaygram_common.contracts.jobs import SendJob

_MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Fate:
    """A campaign, as far as its queue is concerned."""

    account_id: int
    ended: bool  # stopped, completed or deleted


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` set: all of it to DEAD_LETTERS; else its jobs are dropped, since the log tells the end of each."""

    reason: str | None = None

    def reason_of(self, payload: bytes) -> str | None:
        """Why one message of the queue goes to DEAD_LETTERS; None: it is a job that nobody waits for."""
        if self.reason is not None:
            return self.reason
        try:
            SendJob.model_validate_json(payload)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
            return f"no send job: {'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}"
        return None


def queue_of(subject: str) -> tuple[int, int] | None:
    """Account and campaign of `send.job.<account>.<campaign>`; None when it is not of this form."""
    tokens = subject.split(".")
    if len(tokens) != 4 or tokens[:2] != ["send", "job"]:
        return None
    account, campaign = tokens[2:]
    for token in (account, campaign):
        # As we write numbers: no sign, no leading zero, and small enough for PostgreSQL.
        if not (token.isascii() and token.isdigit() and str(int(token[:20])) == token and int(token) <= _MAX_ID):
            return None
    return (int(account), int(campaign)) if int(account) else None


def judge(subject: str, fates: Mapping[int, Fate]) -> Verdict | None:
    """None: somebody will consume it. `fates` holds each existing campaign that a subject names."""
    queue = queue_of(subject)
    if queue is None:
        return Verdict(f"no queue: {subject[:200]} is not send.job.<account>.<campaign>")
    account_id, campaign_id = queue
    if campaign_id == 0:
        return None  # test sends and opt-out confirmations
    fate = fates.get(campaign_id)
    if fate is None:
        return Verdict(f"there is no campaign {campaign_id}")
    if fate.account_id != account_id:
        return Verdict(f"campaign {campaign_id} is not sent from account {account_id}")
    return Verdict() if fate.ended else None
