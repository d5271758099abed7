"""Garbage on any subject goes to DEAD_LETTERS with the reason, and everything else goes on."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from nats.js.errors import NotFoundError

from relaygram_common.contracts.jobs import SendJob
from relaygram_common.jetstream.publisher import Outgoing
from relaygram_common.topology import CAMPAIGN_COMMANDS, DEAD_LETTERS, DISPATCHER, SEND_JOBS
from tests.dispatcher.line import Outside, gateway
from tests.support.waiting import eventually


async def _letter(line: Outside, stream: str, subject: str) -> dict[str, object]:
    async def there() -> dict[str, object] | None:
        try:
            message = await line.client.jetstream().get_last_msg(DEAD_LETTERS, f"dead.letter.{stream}")
        except NotFoundError:
            return None
        letter: dict[str, object] = json.loads(message.data or b"{}")
        return letter if letter["subject"] == subject else None

    found = await eventually(there, what=f"a dead letter of {subject}")
    assert found is not None
    return found


@pytest.mark.parametrize("payload", [b"", b"no JSON", b'{"campaign_id": "x"}', b"\xff"])
async def test_a_command_that_is_none(line: Outside, payload: bytes) -> None:
    subject = f"campaign.command.start.{line.workspace_id}.{len(payload)}"
    await line.publisher.publish([Outgoing(subject, payload)])
    letter = await _letter(line, CAMPAIGN_COMMANDS, subject)
    assert str(letter["reason"]).startswith("not a campaign command: ")

    async def acknowledged() -> bool:
        info = await line.client.jetstream().consumer_info(CAMPAIGN_COMMANDS, DISPATCHER)
        return not info.num_ack_pending and not info.num_pending

    await eventually(acknowledged)
    campaign_id = await line.campaign(5)
    async with gateway(line, campaign_id):
        await line.becomes(campaign_id, "completed")


@pytest.mark.parametrize(
    ("subject", "said"),
    [("send.job.three.7", "no queue"), ("send.job.1", "no queue"), ("send.job.1.987654", "no campaign")],
)
async def test_jobs_in_a_queue_that_nobody_works_off(line: Outside, subject: str, said: str) -> None:
    await line.publisher.publish([Outgoing(subject, b"whatever")] * 3)
    letter = await _letter(line, SEND_JOBS, subject)
    assert said in str(letter["reason"])

    async def gone() -> bool:
        info = await line.client.jetstream().stream_info(SEND_JOBS, subjects_filter=subject)
        return not info.state.subjects

    await eventually(gone)


async def test_queues_of_ended_campaigns_are_emptied_and_others_left_alone(line: Outside) -> None:
    """A job that came late is dropped, since the log tells of its message; what is no job is put aside."""
    completed, running = await line.campaign(1), await line.campaign(4)
    async with gateway(line, completed):
        await line.becomes(completed, "completed")
    await line.expanded(running, 4)
    late = SendJob(
        job_id=uuid4(), workspace_id=line.workspace_id, account_id=line.account_id, campaign_id=completed,
        contact_id=1, run_id=1, step=0, trigger="broadcast", queued_at=datetime.now(UTC),
    )  # fmt: skip
    queue = f"send.job.{line.account_id}"
    await line.publisher.publish(
        [
            Outgoing(f"{queue}.{completed}", b"not a job"),
            Outgoing(late.subject, late.model_dump_json().encode()),
            Outgoing(f"{queue}.0", b"a test send"),
        ]
    )

    async def gone() -> bool:
        return await line.waiting(completed) == 0

    await eventually(gone)
    assert (await line.waiting(running), await line.waiting(0)) == (4, 1)
    letter = await _letter(line, SEND_JOBS, f"{queue}.{completed}")  # and the last one: none of the late job
    assert str(letter["reason"]).startswith("no send job: ")
