"""What may happen to some messages, in what ways the log may hear of it, and what it must say in the end."""

from datetime import datetime
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from relaygram_common.contracts.delivery import DeliveryEvent
from relaygram_common.contracts.states import RANKS, MessageState, log_status
from relaygram_log_writer.core.row import Row, row_of
from tests.log_writer.events import event, new_campaign

# What happened, and the batches in which it arrives.
History = tuple[list[DeliveryEvent], list[list[DeliveryEvent]]]
JOBS = [UUID(int=number) for number in range(1, 5)]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """What happened, and one way in which it may arrive: in any order, some of it twice, in batches of any size."""
    campaign = new_campaign()
    happened: dict[UUID, DeliveryEvent] = {}
    for job in JOBS[: draw(st.integers(1, len(JOBS)))]:
        for state in draw(st.lists(st.sampled_from([s.value for s in MessageState if s in RANKS]), max_size=6)):
            attempt = draw(st.integers(0, 3))
            made = event(
                state,
                campaign=campaign,
                job=job,
                attempt=attempt,
                seconds=draw(st.integers(0, 100)),
                body=f"{state} {attempt}",
                account_id=draw(st.sampled_from([3, None])),
                queued_at=draw(st.sampled_from([None, event("queued", campaign=1).queued_at])),
            )
            happened.setdefault(made.event_id, made)  # the same id is the same event
    arriving = draw(st.permutations([*happened.values(), *draw(_some_of(list(happened.values())))]))
    cuts = sorted(draw(st.lists(st.integers(0, len(arriving)), max_size=4)))
    batches = [list(arriving[a:b]) for a, b in zip([0, *cuts], [*cuts, len(arriving)], strict=True)]
    return list(happened.values()), batches


def _some_of(events: list[DeliveryEvent]) -> st.SearchStrategy[list[DeliveryEvent]]:
    return st.lists(st.sampled_from(events), max_size=4) if events else st.just([])


def rows_made_by(events: list[DeliveryEvent]) -> list[Row]:
    """What the log-writer makes of them."""
    return [row for row in map(row_of, events) if row is not None]


def expected_rows(events: list[DeliveryEvent]) -> dict[UUID, dict[str, Any]]:
    """The model: look at everything that ever happened to a job, at once."""
    jobs: dict[UUID, dict[str, Any]] = {}
    for job in {one.job_id for one in events}:
        mine = [one for one in events if one.job_id == job]
        best = max(mine, key=lambda one: (RANKS[one.state], one.attempt, [-ord(letter) for letter in one.state.value]))

        def earliest(*states: str, mine: list[DeliveryEvent] = mine) -> Any:
            return min((one.occurred_at for one in mine if one.state in states), default=None)

        jobs[job] = {
            "state": best.state.value,
            "status": log_status(RANKS[best.state]),
            "attempt": best.attempt,
            "body": best.body,
            "error_code": best.error.code if best.error else None,
            "ended_at": best.occurred_at if RANKS[best.state] in (2, 3) else None,
            "account_id": 3 if any(one.account_id for one in mine) else None,
            "queued_at": min(_in_milliseconds(one.queued_at or one.occurred_at) for one in mine),
            "sent_at": earliest("sent", "delivered"),
            "read_at": earliest("read"),
            "replied_at": earliest("replied"),
        }
    return jobs


def _in_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def assert_as_expected(expected: dict[UUID, dict[str, Any]], found: dict[UUID, dict[str, Any]]) -> None:
    """The same messages, and of each what the model tells."""
    assert found.keys() == expected.keys()
    for job, fields in expected.items():
        assert {name: found[job][name] for name in fields} == fields
