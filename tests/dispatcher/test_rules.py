"""The dispatcher's rules, as values."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from relaygram_dispatcher.core.duties import Duty, duty, nothing_left
from relaygram_dispatcher.core.pages import jobs_of, queued_events, sender_name
from relaygram_dispatcher.core.run import Contact, Content, Run
from relaygram_dispatcher.core.sweeping import Fate, judge, queue_of
from relaygram_dispatcher.core.window import cap, room

_RUN = Run(
    run_id=1,
    campaign_id=7,
    workspace_id=1,
    account_id=3,
    epoch=1,
    status="running",
    deleted=False,
    importing=False,
    contacts_generation=2,
    expanded_generation=2,
    jobs_made=100,
    rows=100,
    pending=0,
    finals=100,
    last_revision=900,
    limits={},
    read_at=datetime(2026, 11, 21, 12, tzinfo=UTC),
)
_CONTENT = Content(1, 7, 3, 1, "Hi {{first_name|friend}} of {{city}}", "@shop", "spring", None, None)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 10_000),
        ({"messages_per_second": None, "messages_per_hour": None}, 10_000),
        ({"messages_per_second": 1}, 900),
        ({"messages_per_second": 30}, 10_000),
        ({"messages_per_second": 30, "messages_per_hour": 40}, 10),
        ({"messages_per_day": 20}, 1),
    ],
)
def test_a_run_is_at_most_15_minutes_and_10_000_jobs_ahead(limits: dict[str, Any], expected: int) -> None:
    assert cap(limits, max_jobs=10_000, max_seconds=900) == expected


@pytest.mark.parametrize(
    ("cap", "ahead", "expected"),
    [(10_000, 0, 500), (10_000, 9_500, 500), (10_000, 9_501, 0), (10_000, 12_000, 0), (8, 6, 2), (8, 7, 0), (1, 0, 1)],
)
def test_room_is_given_by_the_page(cap: int, ahead: int, expected: int) -> None:
    assert room(cap, jobs_made=ahead + 50, finals=50, page_size=500) == expected


@pytest.mark.parametrize(
    ("changed", "room", "idle", "expected"),
    [
        ({}, 500, 0.0, Duty.COMPLETE),
        ({"expanded_generation": 1}, 500, 0.0, Duty.ADVANCE),
        ({"expanded_generation": None}, 500, 0.0, Duty.ADVANCE),
        ({"expanded_generation": 1}, 0, 0.0, None),
        ({"importing": True}, 500, 99.0, None),
        ({"finals": 99}, 500, 0.0, None),
        ({"finals": 99}, 500, 10.0, Duty.RECONCILE),
        ({"finals": 99, "expanded_generation": 1}, 0, 10.0, Duty.RECONCILE),
        ({"status": "paused", "expanded_generation": 1}, 500, 99.0, None),
        ({"status": "paused"}, 500, 99.0, None),
        ({"status": "stopped"}, 500, 0.0, Duty.END),
        ({"status": "paused", "deleted": True}, 500, 0.0, Duty.END),
        ({"deleted": True}, 500, 0.0, Duty.END),
    ],
)
def test_what_a_run_needs_next(changed: dict[str, Any], room: int, idle: float, expected: Duty | None) -> None:
    run = replace(_RUN, **changed)
    assert duty(run, room=room, idle_seconds=idle, reconcile_after_seconds=10.0) == expected


@pytest.mark.parametrize(
    ("changed", "stuck", "expected"),
    [({}, False, True), ({"pending": 1}, True, False), ({"rows": 99}, False, False), ({"rows": 99}, True, True)],
)
def test_an_ended_run_waits_for_rows_on_their_way(changed: dict[str, Any], stuck: bool, expected: bool) -> None:
    assert nothing_left(replace(_RUN, status="stopped", **changed), stuck=stuck) is expected


def test_the_same_page_always_gives_the_same_ids() -> None:
    people = [Contact(5, None, "ann", "Ann", None, {"city": "Oslo"}), Contact(6, 4242, None, None, None, {})]
    first = queued_events(_CONTENT, people, now=datetime(2026, 11, 21, tzinfo=UTC))
    again = queued_events(_CONTENT, people, now=datetime(2026, 11, 22, tzinfo=UTC))
    assert [event.event_id for event in first] == [event.event_id for event in again]
    assert [(event.destination, event.body) for event in first] == [
        ("@ann", "Hi Ann of Oslo"),
        ("4242", "Hi friend of "),
    ]
    assert [(job.job_id, job.contact_id) for job in jobs_of(_CONTENT, first)] == [
        (event.job_id, event.sender_id) for event in again
    ]


def test_nobody_is_called_by_phone() -> None:
    assert [sender_name("ann", 5), sender_name(None, 5), sender_name(None, None)] == ["@ann", "5", None]


@pytest.mark.parametrize(
    ("subject", "queue"),
    [
        ("send.job.3.7", (3, 7)),
        ("send.job.3.0", (3, 0)),
        ("send.job.0.7", None),
        ("send.job.03.7", None),
        ("send.job.3", None),
        ("send.job.3.7.9", None),
        ("send.job.three.7", None),
        ("send.job.-3.7", None),
        ("send.job.٣.7", None),
        ("send.job.3.9223372036854775808", None),
        ("send.job.3." + "9" * 5000, None),
    ],
)
def test_a_queue_is_named_by_two_ids(subject: str, queue: tuple[int, int] | None) -> None:
    assert queue_of(subject) == queue


def test_who_will_never_be_worked_off() -> None:
    fates = {7: Fate(3, False), 8: Fate(3, True)}
    assert judge("send.job.3.7", fates) is None
    assert judge("send.job.3.0", fates) is None
    ended, unknown, foreign, garbage = (
        judge(subject, fates) for subject in ("send.job.3.8", "send.job.3.9", "send.job.4.7", "send.job.x")
    )
    assert ended is not None
    assert ended.reason is None
    for verdict, said in ((unknown, "no campaign 9"), (foreign, "account 4"), (garbage, "send.job.x")):
        assert verdict is not None
        assert said in (verdict.reason or "")
