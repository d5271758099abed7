"""Gives jobs back to the stream: paused, or the account must wait for long."""

from collections.abc import Sequence

from nats.errors import Error as NatsError

from relaygram_common.jetstream.acks import nak
from relaygram_telegram_gateway.sending.held import Held
from relaygram_telegram_gateway.sending.work import Work

# A job that is given back counts among those its consumer may have out, also while it rests.
MAX_GIVEN_BACK_SECONDS = 60.0


def give_back(work: Work, jobs: Sequence[Held], *, delay_seconds: float = 0.0) -> None:
    """Out of our hands, in the background; what never left leaves the ledger first."""
    if jobs:
        work.in_background(_give_back(work, list(jobs), delay_seconds))


def put_off(work: Work, held: Held, seconds: float) -> None:
    """Telegram wants the message later: no attempt of it is used. Kept in hand, or given back when it is long."""
    work.in_background(_put_off(work, held, seconds))


async def _put_off(work: Work, held: Held, seconds: float) -> None:
    jobs = [held.job.job_id]
    await work.insist(lambda: work.ledger.snooze(jobs, never_left=jobs if held.never_left else []))
    if held.job.job_id not in work.held:
        return  # given back meanwhile
    if seconds <= work.settings.hold_seconds:
        work.admit_again(held, after_seconds=seconds)
    else:
        await _hand_back(work, [held], min(seconds, MAX_GIVEN_BACK_SECONDS))


async def _give_back(work: Work, jobs: list[Held], delay_seconds: float) -> None:
    await work.insist(lambda: work.ledger.withdraw([held.job.job_id for held in jobs if held.never_left]))
    await _hand_back(work, jobs, delay_seconds)


async def _hand_back(work: Work, jobs: list[Held], delay_seconds: float) -> None:
    for held in jobs:
        for message in held.messages.values():
            try:
                await nak(work.tools.client, message, delay_seconds=delay_seconds)
            except (NatsError, OSError):
                break  # it comes again after the consumer's ack_wait
        work.drop(held)
    work.wake.set()
