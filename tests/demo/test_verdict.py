"""The demo's judgement must be able to find each way of being wrong."""

import pytest

from relaygram_local_stack.demo.verdict import BODY, LoggedMessage, RecordedMessage, judge, seat_of

PEOPLE = {"S1": 101, "S2": 102}


def text(seat: str) -> str:
    return BODY.replace("{{first_name|there}}", "Ada").replace("{{seat}}", seat)


def row(seat: str, status: str = "sent", code: str | None = None) -> LoggedMessage:
    return LoggedMessage(text(seat), status, code)


def got(seat: str, person: int) -> RecordedMessage:
    return RecordedMessage(person, text(seat))


def test_one_message_to_each_and_a_log_that_says_so_is_exact() -> None:
    verdict = judge(2, PEOPLE, [row("S1"), row("S2")], [got("S1", 101), got("S2", 102)])

    assert verdict.is_exact
    assert verdict.line == "relaygram demo: 2 contacts, 2 sent, 0 failed, 0 lost, 0 doubled"


def test_a_refusal_that_the_log_tells_is_exact() -> None:
    verdict = judge(2, PEOPLE, [row("S1"), row("S2", "failed", "USER_PRIVACY_RESTRICTED")], [got("S1", 101)])

    assert verdict.is_exact
    assert (verdict.sent, verdict.failed) == (1, 1)


@pytest.mark.parametrize(
    ("log", "record", "problem"),
    [
        pytest.param([row("S1")], [got("S1", 101)], "S2: not in the log", id="a row is missing"),
        pytest.param(
            [row("S1"), row("S2", "pending")], [got("S1", 101)], "S2: still pending in the log", id="a row is pending"
        ),
        pytest.param(
            [row("S1"), row("S2")], [got("S1", 101)], "S2: the log says sent, Telegram got nothing", id="never arrived"
        ),
        pytest.param(
            [row("S1"), row("S2", "failed", "NETWORK")],
            [got("S1", 101), got("S2", 102)],
            "S2: the log says failed (NETWORK), Telegram got it",
            id="arrived, but the log denies it",
        ),
    ],
)
def test_what_is_lost_is_named(log: list[LoggedMessage], record: list[RecordedMessage], problem: str) -> None:
    verdict = judge(2, PEOPLE, log, record)

    assert verdict.lost == (problem,)
    assert not verdict.is_exact


@pytest.mark.parametrize(
    ("log", "record", "problem"),
    [
        pytest.param(
            [row("S1"), row("S2")],
            [got("S1", 101), got("S2", 102), got("S2", 102)],
            "S2: Telegram got it 2 times",
            id="sent twice",
        ),
        pytest.param(
            [row("S1"), row("S2")],
            [got("S1", 101), got("S2", 102), got("S2", 101)],
            "S2: Telegram got it for 101, whose seat it is not",
            id="sent to somebody else as well",
        ),
        pytest.param(
            [row("S1"), row("S2"), row("S2")],
            [got("S1", 101), got("S2", 102)],
            "the log has 3 rows for 2 messages",
            id="logged twice",
        ),
    ],
)
def test_what_is_doubled_is_named(log: list[LoggedMessage], record: list[RecordedMessage], problem: str) -> None:
    verdict = judge(2, PEOPLE, log, record)

    assert verdict.doubled == (problem,)
    assert not verdict.is_exact


def test_a_text_without_a_seat_stands_for_itself() -> None:
    assert seat_of("something else") == "something else"
