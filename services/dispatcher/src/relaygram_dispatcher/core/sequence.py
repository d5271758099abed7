"""What follows from the outcome of a message: the next step, follow-ups, or nothing.

A person got the steps whose messages the log has; so whatever is moved, added or removed, nobody gets a step twice.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from relaygram_common.contracts.ids import job_id
from relaygram_dispatcher.core.run import Due, Step


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row of the log that has its outcome, and the due row it came from, unless that was followed before."""

    job_id: UUID
    contact_id: int
    status: str  # failed | sent
    code: str | None
    sent_at: datetime | None
    replied: bool
    enrolled: bool
    ended: bool  # the person has replied to the campaign
    due: Due | None


@dataclass(frozen=True, slots=True)
class Following:
    """What one outcome changes."""

    done: UUID | None = None  # this due row leaves
    enrolls: bool = False  # only if the person is not on the way already
    rows: tuple[Due, ...] = ()


def step_job(campaign_id: int, contact_id: int, identity: int) -> UUID:
    """The id of a step's message to a person. Identity 0 is the body's place, whoever has it."""
    kind = "broadcast" if identity == 0 else "sequence"
    return job_id(kind, campaign_id, contact_id, step=identity)


def follow_up_job(campaign_id: int, contact_id: int, identity: int, index: int) -> UUID:
    """The id of a step's follow-up to a person."""
    return job_id("follow_up", campaign_id, contact_id, step=identity, follow_up=index)


def step_trigger(identity: int) -> str:
    """What the log calls the cause of a step's message."""
    return "broadcast" if identity == 0 else "sequence"


def follow(
    outcome: Outcome, *, campaign_id: int, steps: Sequence[Step], has: Collection[UUID], now: datetime
) -> Following:
    """`has`: jobs of which this person has a row in the log or a due row, this one's included."""
    due = outcome.due
    if due is None:
        # A broadcast's message, made before there were steps; `enrolled`: it was followed already.
        first = outcome.job_id == step_job(campaign_id, outcome.contact_id, 0)
        if outcome.status != "sent" or not steps or outcome.enrolled or outcome.replied or not first:
            return Following()
        identity, done = 0, None
    else:
        identity, done = due.step_identity, due.job_id
        if not steps or outcome.replied or outcome.ended or due.trigger not in ("broadcast", "schedule", "sequence"):
            return Following(done)
    present = next((step for step in steps if step.identity == identity), None)
    at: datetime | None
    if outcome.status == "sent":
        at = outcome.sent_at or now
    elif outcome.code == "GONE" and present is None and due is not None:
        at = due.follows_at  # the step was removed while its message waited: it is skipped
    else:
        return Following(done)
    rows = next_rows(
        campaign_id, outcome.contact_id, present, sent_at=at, steps=steps, has=has, now=now,
        follow_ups=outcome.status == "sent",
    )  # fmt: skip
    return Following(done, enrolls=not outcome.enrolled, rows=rows)


def next_rows(
    campaign_id: int,
    contact_id: int,
    present: Step | None,
    *,
    sent_at: datetime | None,
    steps: Sequence[Step],
    has: Collection[UUID],
    now: datetime,
    follow_ups: bool,
) -> tuple[Due, ...]:
    """Due rows after the step `present` (None: it was removed). `sent_at` None: nothing was sent before."""
    rows = []
    step = next_step(campaign_id, contact_id, present, steps=steps, has=has)
    if step is not None:
        at = now if sent_at is None else sent_at + timedelta(seconds=step.delay_seconds)
        job = step_job(campaign_id, contact_id, step.identity)
        trigger = step_trigger(step.identity)
        rows.append(Due(job, contact_id, trigger, step.identity, step.position, None, at, sent_at))
    if follow_ups and present is not None and sent_at is not None:
        for index, (hours, _) in enumerate(present.follow_ups):
            job = follow_up_job(campaign_id, contact_id, present.identity, index)
            if job not in has:
                at = sent_at + timedelta(hours=hours)
                rows.append(Due(job, contact_id, "follow_up", present.identity, present.position, index, at, sent_at))
    return tuple(rows)


def next_step(
    campaign_id: int, contact_id: int, present: Step | None, *, steps: Sequence[Step], has: Collection[UUID]
) -> Step | None:
    """The first above `present` that this person has not got; after a removed step: above all that the person has."""
    got = {step.identity for step in steps if step_job(campaign_id, contact_id, step.identity) in has}
    above = present.position if present else max((step.position for step in steps if step.identity in got), default=-1)
    return next((step for step in steps if step.position > above and step.identity not in got), None)
