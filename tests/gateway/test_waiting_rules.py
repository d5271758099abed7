"""Properties of what lets messages wait: the gate after PEER_FLOOD, turns, the hour and the first day, what is told."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relaygram_telegram_gateway.core.cold_gate import ColdGate
from relaygram_telegram_gateway.core.limits import Limits, Usage, remaining, used_up
from relaygram_telegram_gateway.core.retries import peer_flood_rest
from relaygram_telegram_gateway.core.turns import Turns
from relaygram_telegram_gateway.core.waits import Waiting, waiting_for_block, what_keeps
from relaygram_telegram_gateway.sending.held import Lane

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


# --- the gate after PEER_FLOOD


@given(
    st.lists(
        st.tuples(st.floats(0.1, 5000.0), st.sampled_from(["flood", "accepted", "refused", "restart"])), max_size=60
    )
)
def test_after_a_peer_flood_one_message_at_a_time_asks_until_one_is_accepted(events: list[tuple[float, str]]) -> None:
    """Whatever the answers: nothing cold leaves while closed, one at a time after, and each flood rests longer."""
    gate, now, strikes = ColdGate(), 0.0, 0
    for pause, answer in events:
        now += pause
        if answer == "restart":
            gate = ColdGate(gate.strikes, gate.until)  # what PostgreSQL keeps of it
        state = gate.state(now)
        if state == "closed":
            assert now < gate.until
            assert not gate.note_left(now)
            continue
        assert state == ("half_open" if strikes else "open")
        is_probe = gate.note_left(now)
        assert is_probe == bool(strikes)
        if is_probe:
            assert gate.state(now) == "probing"
        if answer == "flood":
            assert gate.close(now)
            strikes += 1
            gate.until = now + peer_flood_rest(strikes, first_seconds=100, cap_seconds=2400)
            assert gate.state(now) == "closed"
            assert not gate.close(now)  # of others that were on the wire: no further strike
        elif is_probe:
            gate.probe_ended(accepted=answer == "accepted")
            strikes = 0 if answer == "accepted" else strikes
        assert gate.strikes == strikes


def test_the_rest_doubles_to_a_day() -> None:
    assert [peer_flood_rest(n) / 3600 for n in (1, 2, 3, 4, 5, 6, 7, 1000)] == [1, 2, 4, 8, 16, 24, 24, 24]


# --- turns


@given(
    st.lists(
        st.sets(st.builds(Lane, st.integers(1, 4), st.booleans(), st.booleans()), min_size=1),
        min_size=1,
        max_size=80,
    )
)
def test_who_waits_for_an_answer_is_never_passed_and_nobody_waits_longer_than_a_round(rounds: list[set[Lane]]) -> None:
    turns: Turns[Lane] = Turns()
    waited: dict[Lane, int] = {}
    for ready in rounds:
        urgent = [lane for lane in ready if lane.urgent]
        chosen = turns.choose(sorted(ready), answering=urgent)
        assert chosen in (urgent or ready)
        for lane in urgent or ready:
            waited[lane] = 0 if lane == chosen else waited.get(lane, 0) + 1
            assert waited[lane] <= 16  # as many as there are queues


# --- the hour, the day, the first day

_counts = st.one_of(st.none(), st.integers(1, 200))


@given(_counts, _counts, st.booleans(), st.floats(0, 100_000), st.integers(0, 300), st.integers(0, 300))
def test_no_limit_is_ever_passed_and_the_first_day_holds_twenty_an_hour(
    per_hour: int | None, per_day: int | None, warm_up: bool, age: float, hour: int, day: int
) -> None:
    limits, usage = Limits(None, per_hour, per_day, None, warm_up), Usage(hour, hour + day)
    left = remaining(limits, usage, account_age_seconds=age)
    full = used_up(limits, usage, account_age_seconds=age)
    assert (left == 0) == bool(full)  # silent waiting looks like a hang: what keeps it has a name
    if left is not None:
        assert left >= 0
        assert per_hour is None or left == 0 or hour + left <= per_hour
        assert per_day is None or left == 0 or usage.last_day + left <= per_day
        assert not (warm_up and age < 86_400) or left == 0 or hour + left <= 20
    else:
        assert per_hour is None
        assert per_day is None
        assert not (warm_up and age < 86_400)


# --- what is told


def test_what_ends_last_is_told_and_a_lost_connection_only_when_nothing_else_keeps_the_account() -> None:
    flood, day = Waiting("flood_wait", NOW), Waiting("daily_limit", NOW + timedelta(hours=3))
    assert what_keeps([], is_connected=True) is None
    assert what_keeps([], is_connected=False) == Waiting("connection", None)
    assert what_keeps([flood, day], is_connected=False) == day
    assert what_keeps([flood, Waiting("hourly_limit", None)], is_connected=True) == Waiting("hourly_limit", None)


def test_blocks_are_told_by_their_kind() -> None:
    codes = ("FLOOD_WAIT", "TELEGRAM_NEW_WAIT_X", "PEER_FLOOD", "ACCOUNT_RESTRICTED", "TELEGRAM_ODD")
    assert [waiting_for_block(code) for code in codes] == [
        "flood_wait", "flood_wait", "peer_flood", "restricted", "restricted",
    ]  # fmt: skip
