"""No second at the receiver ever holds more than the limit, whatever the network does."""

from hypothesis import given
from hypothesis import strategies as st

from relaygram_telegram_gateway.core.limiter import ChatSpacing, CompletionWindow, StartWindow

seconds = st.floats(min_value=0, max_value=3, allow_nan=False)


@given(
    limit=st.integers(1, 12),
    # Per message: how long until it arrives, and from there until its answer is here.
    latencies=st.lists(st.tuples(seconds, seconds), min_size=1, max_size=60),
    idle=st.lists(seconds, max_size=10),
)
def test_no_window_at_the_receiver_holds_more_than_the_limit(
    limit: int, latencies: list[tuple[float, float]], idle: list[float]
) -> None:
    now = 100.0
    window = CompletionWindow(limit, now=now)
    arrivals: list[float] = []
    open_answers: list[float] = []
    pauses = iter(idle)
    for to_receiver, back in latencies:
        while True:
            for at in sorted(answer for answer in open_answers if answer <= now):
                open_answers.remove(at)
                window.complete(at)
            wait = window.wait_seconds(now)
            if wait == 0:
                break
            next_answer = min(open_answers, default=float("inf"))
            now = min(now + wait if wait is not None else float("inf"), next_answer)
            if next(pauses, 0.0) > 2:
                now += 0.1
        window.start()
        arrivals.append(now + to_receiver)
        open_answers.append(now + to_receiver + back)
    arrivals.sort()
    for position, first in enumerate(arrivals):
        assert sum(1 for at in arrivals[position:] if at <= first + 1.0) <= limit


def test_a_fresh_owner_begins_with_a_full_window() -> None:
    window = CompletionWindow(10, now=5.0)
    assert window.wait_seconds(5.0) > 1.0  # type: ignore[operator]
    assert window.room(5.0, 0.3) == 0
    assert window.wait_seconds(6.002) == 0


def test_without_a_limit_there_is_no_wait() -> None:
    window = CompletionWindow(None, now=0.0)
    for _ in range(1000):
        assert window.wait_seconds(0.0) == 0
        window.start()
    assert window.room(0.0, 0.3) is None


def test_a_limit_set_later_counts_what_was_answered_before() -> None:
    window = CompletionWindow(None, now=0.0)
    for _ in range(5):
        window.start()
        window.complete(2.0)
    window.limit = 5
    assert window.wait_seconds(2.5) > 0.5  # type: ignore[operator]
    assert window.wait_seconds(3.01) == 0


def test_a_lowered_limit_waits_for_answers() -> None:
    window = CompletionWindow(3, now=0.0)
    for _ in range(3):
        window.start()
    window.limit = 2
    assert window.wait_seconds(5.0) is None
    window.complete(5.0)
    window.complete(5.0)
    assert window.wait_seconds(5.1) > 0.9  # type: ignore[operator]


def test_room_looks_ahead() -> None:
    window = CompletionWindow(4, now=0.0)
    for at in (2.0, 2.5, 2.8):
        window.start()
        window.complete(at)
    assert window.room(2.8, 0.0) == 1
    assert window.room(2.8, 0.3) == 2
    assert window.room(2.8, 0.8) == 3


def test_a_chat_gets_one_message_a_second() -> None:
    chats = ChatSpacing(1.0)
    assert chats.wait_seconds(7, 1.0) == 0
    chats.start(7)
    assert chats.wait_seconds(7, 50.0) > 0
    chats.complete(7, 50.0)
    assert chats.wait_seconds(7, 50.25) == 0.75
    assert chats.wait_seconds(8, 50.25) == 0
    assert chats.wait_seconds(7, 51.0) == 0


@given(limit=st.integers(1, 5), asks=st.lists(st.floats(0, 100), min_size=1, max_size=40))
def test_starts_are_limited_by_their_own_window(limit: int, asks: list[float]) -> None:
    window, started = StartWindow(limit, seconds=60.0), []
    for now in sorted(asks):
        if window.wait_seconds(now) == 0:
            window.start(now)
            started.append(now)
    for position, first in enumerate(started):
        assert sum(1 for at in started[position:] if at < first + 60.0) <= limit
    assert StartWindow(None, seconds=60.0).wait_seconds(0.0) == 0
