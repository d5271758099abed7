"""The contracts that services share: strict where it matters, stable where ids are compared."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import ValidationError

from relaygram_common.backoff import backoff_seconds
from relaygram_common.contracts.cloud_events import cloud_event_headers
from relaygram_common.contracts.delivery import DeliveryEvent, delivery_event
from relaygram_common.contracts.ids import event_id, job_id
from relaygram_common.contracts.jobs import SendJob
from relaygram_common.contracts.states import MessageState
from relaygram_common.templates import person_values, render, text_units, tokens

_NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
_JOB = job_id("broadcast", 7, 11)


def test_ids_never_change() -> None:
    """They are in ledgers and logs of running installations: another algorithm would send everything again."""
    assert UUID("c2c80029-aa0f-50ef-b4e4-7bf039563c82") == _JOB
    assert _JOB == job_id("broadcast", 7, 11, step=0) == job_id("broadcast", 7, 11, 0, None, None)
    others = [
        job_id("sequence", 7, 11),
        job_id("broadcast", 8, 11),
        job_id("broadcast", 7, 12),
        job_id("broadcast", 7, 11, 1),
    ]
    assert len({_JOB, *others, job_id("auto_reply", 7, 11, trigger=5), job_id("test", 7, 11, trigger="a")}) == 7
    assert event_id(_JOB, "sent", 1) == event_id(_JOB, "sent", 1) != event_id(_JOB, "sent", 2)


def test_an_event_knows_its_subject_and_survives_the_wire() -> None:
    event = delivery_event(
        job=_JOB, state=MessageState.SENT, attempt=2, occurred_at=_NOW, workspace_id=1, campaign_id=7, body="Hé 👋"
    )
    assert event.subject == "delivery.event.1.telegram.sent.7"
    assert event.event_id == event_id(_JOB, "sent", 2)
    assert DeliveryEvent.model_validate_json(event.model_dump_json()) == event
    assert event.model_copy(update={"campaign_id": None}).subject == "delivery.event.1.telegram.sent.0"
    later = event.model_dump(mode="json") | {"a_field_of_the_next_version": 1}
    assert DeliveryEvent.model_validate(later) == event  # additive changes only


@pytest.mark.parametrize(
    "wrong",
    [{"workspace_id": 0}, {"campaign_id": 2**63}, {"state": "gone"}, {"attempt": -1},
     {"occurred_at": "2026-11-21T10:00:00"},
     {"channel": "a.b"}, {"channel": "sms\n"}, {"job_id": "x"}, {"body": "nul \0"}, {"trigger": "magic"}],
    ids=str,
)  # fmt: skip
def test_what_is_no_event_is_refused(wrong: dict[str, object]) -> None:
    right = delivery_event(
        job=_JOB, state=MessageState.SENT, attempt=1, occurred_at=_NOW, workspace_id=1, campaign_id=7
    ).model_dump(mode="json")
    with pytest.raises(ValidationError):
        DeliveryEvent.model_validate(right | wrong)


def test_a_job_has_ids_and_nothing_of_a_person() -> None:
    job = SendJob(
        job_id=_JOB, workspace_id=1, account_id=3, campaign_id=7, contact_id=11, run_id=5, step=0, trigger="broadcast",
        queued_at=_NOW,
    )  # fmt: skip
    assert job.subject == "send.job.3.7"
    assert SendJob.model_validate_json(job.model_dump_json()) == job
    assert {*SendJob.model_fields} == {
        "job_id", "workspace_id", "account_id", "campaign_id", "contact_id", "run_id", "step", "step_identity",
        "follow_up", "trigger", "triggered_by_message_id", "queued_at", "expires_at",
    }  # fmt: skip


def test_cloud_events_travel_in_headers() -> None:
    headers = cloud_event_headers(event_id=_JOB, event_type="com.relaygram.delivery.sent.v1", workspace_id=1, time=_NOW)
    assert headers["ce-time"] == "2026-11-21T10:00:00Z"
    assert headers["ce-id"] == headers["Nats-Msg-Id"] == str(_JOB)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hi {{first_name}}!", "Hi Ann!"),
        ("Hi {{ last_name | friend }}!", "Hi friend!"),
        ("Hi {{nobody}}!", "Hi !"),
        ("{{handle}} from {{city}}", "@ann from Oslo"),
        ("{{first_name|{{city}}}}", "{{first_name|Oslo}}"),
        ("{first_name} {{}} {{1}}", "{first_name}  "),
        ("{{city.__class__}}", ""),
    ],
)
def test_a_template_puts_values_in_and_runs_nothing(template: str, text: str) -> None:
    values = person_values("Ann", None, "ann", {"city": "Oslo", "first_name": "a column of the same name"})
    assert render(template, values) == text


def test_what_a_value_says_is_not_a_template() -> None:
    assert render("{{first_name}}", {"first_name": "{{city}}", "city": "Oslo"}) == "{{city}}"
    assert tokens("{{a}} {{b|x}} {{a}}") == ["a", "b", "a"]
    assert text_units("a👋") == 3


def test_backing_off_grows_to_its_cap() -> None:
    assert [backoff_seconds(n, first=0.1, cap=1.0, jitter=0.0) for n in (1, 2, 3, 4, 5, 500)] == [
        0.1,
        0.2,
        0.4,
        0.8,
        1.0,
        1.0,
    ]
    assert backoff_seconds(1, first=0.1, cap=1.0, jitter=1.0) == 0.05
