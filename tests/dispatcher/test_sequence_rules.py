"""The rules of sequences, due rows and waiting, as values; what may never happen, whatever people do to the steps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relaygram_common.contracts.ids import job_id
from relaygram_dispatcher.core.due import due_events, due_jobs, sort_rows
from relaygram_dispatcher.core.duties import Duty, duty
from relaygram_dispatcher.core.run import Contact, Content, Due, Step
from relaygram_dispatcher.core.sequence import Following, Outcome, follow, follow_up_job, next_rows, step_job
from relaygram_dispatcher.core.waiting import lateness_seconds, seconds_to_next, waiting
from relaygram_dispatcher.core.window import Window
from tests.dispatcher.test_rules import _RUN

_NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
_CAMPAIGN, _PERSON = 7, 5
A = Step(0, 0, "A", 0, ((24.0, "A?"), (48.0, "A??")))
B = Step(31, 1, "B {{first_name|you}}", 3600)
C = Step(32, 2, "C", 60)
_CONTENT = Content(1, _CAMPAIGN, 3, 1, "body", "@shop", None, None, None, (A, B, C))
_ANN = Contact(_PERSON, None, "ann", "Ann", None, {})


def _due(step: Step, *, follow_up: int | None = None, trigger: str | None = None) -> Due:
    job = step_job(_CAMPAIGN, _PERSON, step.identity)
    kind = trigger or ("follow_up" if follow_up is not None else "broadcast" if step.identity == 0 else "sequence")
    return Due(job, _PERSON, kind, step.identity, step.position, follow_up, _NOW)


def _outcome(step: Step, status: str = "sent", *, code: str | None = None, due: Due | None = None) -> Outcome:
    row = due or _due(step)
    return Outcome(row.job_id, _PERSON, status, code, _NOW if status == "sent" else None, False, True, False, row)


def _follow(outcome: Outcome, *steps: Step, has: frozenset[UUID] = frozenset()) -> Following:
    return follow(outcome, campaign_id=_CAMPAIGN, steps=steps, has={outcome.job_id, *has}, now=_NOW)


def test_a_sent_step_is_followed_by_the_next_one_and_its_follow_ups() -> None:
    found = _follow(_outcome(A), A, B, C)
    assert found.done == step_job(_CAMPAIGN, _PERSON, 0)
    assert not found.enrolls
    assert [(row.trigger, row.step_identity, row.follow_up, row.due_at) for row in found.rows] == [
        ("sequence", 31, None, _NOW + timedelta(hours=1)),
        ("follow_up", 0, 0, _NOW + timedelta(hours=24)),
        ("follow_up", 0, 1, _NOW + timedelta(hours=48)),
    ]
    assert {row.follows_at for row in found.rows} == {_NOW}
    assert [row.job_id for row in found.rows] == [
        job_id("sequence", _CAMPAIGN, _PERSON, step=31),
        job_id("follow_up", _CAMPAIGN, _PERSON, step=0, follow_up=0),
        job_id("follow_up", _CAMPAIGN, _PERSON, step=0, follow_up=1),
    ]


@pytest.mark.parametrize(
    "outcome",
    [
        _outcome(A, "failed", code="USER_PRIVACY"),
        _outcome(A, "failed", code="REPLIED"),
        _outcome(A, "failed", code="GONE"),  # the step is there: the person is not
        _outcome(C),
        _outcome(A, due=_due(A, follow_up=0)),
        _outcome(A, due=_due(A, trigger="auto_reply")),
        replace(_outcome(A), replied=True),
        replace(_outcome(A), ended=True),
    ],
)
def test_nothing_follows_a_failure_a_reply_the_last_step_and_what_is_no_step(outcome: Outcome) -> None:
    assert _follow(outcome, A, B, C) == Following(outcome.job_id)


def test_without_steps_a_due_row_only_leaves() -> None:
    assert _follow(_outcome(A)) == Following(step_job(_CAMPAIGN, _PERSON, 0))


def test_a_message_made_before_there_were_steps_is_followed_once_and_only_when_it_was_sent() -> None:
    plain = replace(_outcome(A), due=None, enrolled=False)
    found = _follow(plain, A, B)
    assert (found.done, found.enrolls, [row.step_identity for row in found.rows]) == (None, True, [31, 0, 0])
    stranger = replace(plain, job_id=follow_up_job(_CAMPAIGN, _PERSON, 0, 0))
    for other in (
        replace(plain, enrolled=True),
        replace(plain, status="failed"),
        replace(plain, replied=True),
        stranger,
    ):
        assert _follow(other, A, B) == Following()


def test_a_removed_step_is_skipped_with_the_delay_of_what_takes_its_place() -> None:
    gone = replace(_due(B), follows_at=_NOW - timedelta(hours=2))
    found = _follow(
        _outcome(B, "failed", code="GONE", due=gone), A, C, has=frozenset({step_job(_CAMPAIGN, _PERSON, 0)})
    )
    assert [(row.step_identity, row.due_at) for row in found.rows] == [
        (32, _NOW - timedelta(hours=2) + timedelta(minutes=1))
    ]


_identities = st.lists(st.integers(0, 8), unique=True, max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(_identities, st.sampled_from(["sent", "sent", "sent", "failed"])), min_size=1, max_size=12))
def test_whatever_is_done_to_the_steps_nobody_gets_one_twice_and_it_ends(history: list[tuple[list[int], str]]) -> None:
    """The list is another one after each outcome; the person's log and due rows are as they come."""
    waiting_rows: list[Due] = []
    has: set[UUID] = set()
    got: list[UUID] = []
    (identities, _), *_ = history
    for index, (identities, status) in enumerate(history):
        steps = tuple(Step(identity, at, f"text {identity}", 0, ((1, "?"),)) for at, identity in enumerate(identities))
        if index == 0:
            waiting_rows = list(
                next_rows(_CAMPAIGN, _PERSON, None, sent_at=None, steps=steps, has=has, now=_NOW, follow_ups=False)
            )
        if not waiting_rows:
            return
        row = waiting_rows.pop(0)
        present = {step.identity for step in steps}
        has.add(row.job_id)
        if steps and row.step_identity not in present:
            status = "failed"
        if status == "sent":
            got.append(row.job_id)
        code = "GONE" if row.step_identity not in present else "USER_PRIVACY"
        outcome = Outcome(row.job_id, _PERSON, status, code, _NOW, False, True, False, row)
        known = has | {each.job_id for each in waiting_rows}
        found = follow(outcome, campaign_id=_CAMPAIGN, steps=steps, has=known, now=_NOW)
        assert found.done == row.job_id
        assert not {each.job_id for each in found.rows} & known
        assert {each.step_identity for each in found.rows} <= present
        waiting_rows += found.rows
    assert len(got) == len(set(got))


@given(st.permutations(range(6)), st.integers(0, 6))
def test_an_untouched_sequence_is_sent_in_its_order(identities: list[int], length: int) -> None:
    steps = tuple(Step(identity, at, "", 0) for at, identity in enumerate(identities[:length]))
    sent: list[int] = []
    has: set[UUID] = set()
    rows = next_rows(_CAMPAIGN, _PERSON, None, sent_at=None, steps=steps, has=has, now=_NOW, follow_ups=False)
    while rows:
        (row,) = rows
        sent.append(row.step_identity)
        has.add(row.job_id)
        rows = _follow(
            Outcome(row.job_id, _PERSON, "sent", None, _NOW, False, True, False, row), *steps, has=frozenset(has)
        ).rows
    assert sent == [step.identity for step in steps]


def test_what_becomes_of_rows_whose_time_has_come() -> None:
    later = _NOW + timedelta(hours=8)
    asleep = replace(_ANN, quiet_until=later)
    removed = replace(_due(B), step_identity=99)
    rows = [
        (_due(A), _ANN),
        (_due(B), asleep),
        (removed, _ANN),
        (replace(removed, counted=True), _ANN),
        (replace(_due(A, follow_up=7), follows_at=_NOW), _ANN),
        (_due(A), None),
        (replace(_due(B), follows_at=_NOW), None),
        (replace(_due(A, trigger="auto_reply"), expires_at=_NOW), asleep),
        (replace(_due(A, trigger="auto_reply"), expires_at=later), asleep),
    ]
    found = sort_rows(_CONTENT, rows, now=_NOW)
    every = [row for row, _ in rows]
    assert found.send == [every[0], every[3], every[5], every[8]]
    assert found.put_off == [(every[1], later)]
    assert found.skip == [every[2]]
    assert found.drop == [every[4], every[6]]
    assert found.expire == [every[7]]


def test_a_job_and_its_event_say_the_same_and_carry_no_text_between_them() -> None:
    row = replace(_due(B), step=9)
    (event,) = due_events(_CONTENT, [row], {_PERSON: _ANN}, expired=False, now=_NOW)
    (job,) = due_jobs(_CONTENT, [row], now=_NOW)
    assert (event.body, event.destination, event.step, event.trigger) == ("B Ann", "@ann", 1, "sequence")
    assert (job.step, job.step_identity, job.job_id) == (1, 31, event.job_id)
    assert "Ann" not in job.model_dump_json()
    (late,) = due_events(_CONTENT, [row], {}, expired=True, now=_NOW)
    assert late.error is not None
    assert (late.state, late.error.code, late.body, late.destination) == ("expired", "TRIGGER_EXPIRED", "B you", None)


_SEQUENCE = replace(_RUN, has_steps=True, followed_revision=900, read_at=_NOW)


@pytest.mark.parametrize(
    ("changed", "room", "idle", "expected"),
    [
        ({}, 500, 0.0, Duty.COMPLETE),
        ({"followed_revision": 899}, 0, 0.0, Duty.ADVANCE),
        ({"has_due": True}, 500, 0.0, None),
        ({"has_due": True, "next_due_at": _NOW}, 500, 0.0, Duty.ADVANCE),
        ({"has_due": True, "next_due_at": _NOW}, 0, 0.0, None),
        ({"has_due": True, "next_due_at": _NOW, "again_at": _NOW}, 0, 0.0, Duty.ADVANCE),
        ({"has_due": True, "next_due_at": _NOW + timedelta(seconds=1)}, 500, 99.0, None),
        ({"has_due": True, "has_published": True}, 500, 0.0, None),
        ({"has_due": True, "has_published": True}, 500, 99.0, Duty.RECONCILE),
        ({"finals": 90, "has_due": True, "postponed": 10}, 500, 99.0, None),
        ({"finals": 90, "has_due": True, "postponed": 9}, 500, 99.0, Duty.RECONCILE),
        ({"plan_changes": 1}, 500, 0.0, Duty.ADVANCE),
        ({"pending": 1}, 500, 0.0, None),
        ({"mode": "auto_reply", "expanded_generation": None}, 500, 99.0, None),
        ({"mode": "auto_reply", "has_due": True, "next_due_at": _NOW}, 1, 0.0, Duty.ADVANCE),
        ({"has_due": True, "next_due_at": _NOW, "status": "paused"}, 500, 99.0, None),
        ({"has_due": True, "next_due_at": _NOW, "status": "stopped"}, 500, 99.0, Duty.END),
    ],
)
def test_what_a_sequence_needs_next(changed: dict[str, object], room: int, idle: float, expected: Duty | None) -> None:
    run = replace(_SEQUENCE, **changed)  # type: ignore[arg-type]  # columns by name
    assert duty(run, room=room, idle_seconds=idle, reconcile_after_seconds=10.0) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, (None, None)),
        ({"next_due_at": _NOW + timedelta(hours=1)}, (_NOW + timedelta(hours=1), "delay")),
        ({"next_due_at": _NOW + timedelta(hours=1), "next_is_quiet": True}, (_NOW + timedelta(hours=1), "quiet_hours")),
        ({"finals": 90}, (None, None)),
        ({"finals": 90, "account_waiting_for": "flood_wait", "account_waits_until": _NOW}, (_NOW, "flood_wait")),
        ({"account_waiting_for": "flood_wait", "account_waits_until": _NOW}, (None, None)),
        ({"next_due_at": _NOW, "account_waiting_for": "daily_limit"}, (None, "daily_limit")),
    ],
)
def test_what_people_are_told_it_waits_for(
    changed: dict[str, object], expected: tuple[datetime | None, str | None]
) -> None:
    assert waiting(replace(_SEQUENCE, **changed)) == expected  # type: ignore[arg-type]  # columns by name


def test_lateness_is_of_running_campaigns() -> None:
    run = replace(_SEQUENCE, next_due_at=_NOW - timedelta(seconds=3))
    assert [lateness_seconds(run), lateness_seconds(replace(run, status="paused"))] == [3.0, 0.0]


def test_it_wakes_at_the_next_due_time_and_not_for_what_waits_for_something_else() -> None:
    moments = (_NOW - timedelta(seconds=1), _NOW + timedelta(seconds=3), _NOW + timedelta(seconds=2), None)
    runs = [replace(_SEQUENCE, next_due_at=moment) for moment in moments]
    assert seconds_to_next(runs) == 2.0
    assert seconds_to_next([replace(run, status="paused") for run in runs]) is None


def test_what_is_put_off_takes_no_room_and_an_auto_reply_waits_for_no_page() -> None:
    window = Window(page_size=500, max_jobs=1000, max_seconds=900)
    run = replace(_RUN, jobs_made=1000, finals=0)
    assert [window.room(run), window.free(run)] == [0, 0]
    assert window.room(replace(run, postponed=600)) == 500
    assert window.room(replace(run, jobs_made=999)) == 0
    assert window.room(replace(run, jobs_made=999, mode="auto_reply")) == 1
