"""The gateway's rules, one by one."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaygram_telegram_gateway.core import login_steps, telegram_errors
from relaygram_telegram_gateway.core.campaign_states import CampaignState, CampaignStates
from relaygram_telegram_gateway.core.lease_clock import LeaseTerms, wait_before_connecting
from relaygram_telegram_gateway.core.limits import Limits, Usage, parse_limits, remaining
from relaygram_telegram_gateway.core.login_steps import Step, next_step
from relaygram_telegram_gateway.core.outcomes import (
    Accepted,
    AttemptFacts,
    Outcome,
    Refused,
    Unknown,
    Wait,
    answer_is_overdue,
    must_look_first,
)
from relaygram_telegram_gateway.core.peer_choice import way_to
from relaygram_telegram_gateway.core.random_id import random_id
from relaygram_telegram_gateway.core.retries import network_retry, peer_flood_rest
from relaygram_telegram_gateway.core.sent_lookup import ChatMessage, find_sent, reaches_back
from relaygram_telegram_gateway.core.sharing import to_let_go, to_take
from relaygram_telegram_gateway.core.telegram_errors import TelegramError, outcome_of, rule_for
from relaygram_telegram_gateway.core.turns import Turns, shares


def _of(name: str, code: int = 400) -> Outcome:
    return outcome_of(TelegramError(name, code))


# --- random_id


def test_the_random_id_follows_from_the_job() -> None:
    job = UUID("3aef6161-6eed-5e5f-ac9d-e05a4e68a7e9")
    assert random_id(job) == random_id(UUID(str(job)))
    assert random_id(job) != random_id(uuid4())


@given(st.uuids())
def test_the_random_id_is_a_signed_64_bit_number_and_never_none(job: UUID) -> None:
    assert -(2**63) <= random_id(job) < 2**63
    assert random_id(job) != 0


# --- errors and outcomes


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("USER_PRIVACY_RESTRICTED", 403, "USER_PRIVACY_RESTRICTED"),
        ("INPUT_USER_DEACTIVATED", 400, "USER_DEACTIVATED"),
        ("USER_IS_BLOCKED", 403, "USER_BLOCKED"),
        ("ALLOW_PAYMENT_REQUIRED_1775", 403, "PAYMENT_REQUIRED"),
        ("ALLOW_PAYMENT_REQUIRED", 406, "PAYMENT_REQUIRED"),
        ("PRIVACY_PREMIUM_REQUIRED", 406, "PREMIUM_REQUIRED"),
        ("TOPIC_CLOSED", 406, "CHAT_FORBIDDEN"),
        ("USERNAME_NOT_OCCUPIED", 400, "USER_NOT_FOUND"),
        ("SOMETHING_NEW", 400, "TELEGRAM_SOMETHING_NEW"),
        ("SOMETHING_NEW", 406, "TELEGRAM_SOMETHING_NEW"),
    ],
)
def test_one_person_s_refusal_is_final_and_only_theirs(name: str, code: int, expected: str) -> None:
    outcome = _of(name, code)
    assert isinstance(outcome, Refused)
    assert outcome.code == expected
    assert not outcome.pauses_campaign


@pytest.mark.parametrize("name", ["MESSAGE_TOO_LONG", "ENTITY_BOUNDS_INVALID", "PHOTO_INVALID_DIMENSIONS"])
def test_content_pauses_the_campaign(name: str) -> None:
    outcome = _of(name)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.pauses_campaign) == ("INVALID_CONTENT", True)


@pytest.mark.parametrize(
    ("name", "seconds", "scope"),
    [
        ("FLOOD_WAIT_7", 7.0, "method"),
        ("FLOOD_WAIT_0", 1.0, "method"),
        ("FLOOD_PREMIUM_WAIT_9", 9.0, "method"),
        ("SLOWMODE_WAIT_20", 20.0, "chat"),
        ("PEER_FLOOD", None, "cold"),
        ("AUTH_KEY_UNREGISTERED", None, "account"),
        ("SESSION_PASSWORD_NEEDED", None, "account"),
        ("USER_DEACTIVATED_BAN", None, "account"),
        ("AUTH_KEY_DUPLICATED", None, "account"),
        ("FROZEN_METHOD_INVALID", None, "account"),
        ("USER_RESTRICTED", telegram_errors.RESTRICTED_SECONDS, "method"),
    ],
)
def test_waits_use_no_attempt(name: str, seconds: float | None, scope: str) -> None:
    outcome = _of(name, 420)
    assert isinstance(outcome, Wait)
    assert (outcome.seconds, outcome.scope) == (seconds, scope)


@pytest.mark.parametrize(
    ("name", "code"),
    [("RPC_CALL_FAIL", 500), ("Timeout", -503), ("No workers running", -500), ("WHATEVER", 500),
     ("INTERDC_2_CALL_ERROR", 500), ("USER_MIGRATE_2", 303)],
)  # fmt: skip
def test_telegram_s_own_faults_leave_the_outcome_open(name: str, code: int) -> None:
    assert isinstance(_of(name, code), Unknown)


def test_a_known_random_id_means_accepted() -> None:
    assert _of("RANDOM_ID_DUPLICATE", 500) == Accepted(None)


def test_an_unknown_401_ends_the_account_and_an_unknown_420_rests_it() -> None:
    assert _of("NEW_KIND_OF_LOGOUT", 401) == Wait(
        None, "account", "TELEGRAM_NEW_KIND_OF_LOGOUT", "Telegram has ended this log-in (NEW_KIND_OF_LOGOUT)."
    )
    assert isinstance(_of("SOME_WAIT", 420), Wait)


def test_every_rule_has_a_code_and_a_sentence() -> None:
    for name, rule in telegram_errors.RULES.items():
        assert name == name.upper()
        assert rule.message.endswith(".")
        assert rule.code or rule.action == "done"
        assert rule_for(TelegramError(name, 400)) is rule


def test_every_name_that_telethon_knows_of_ours_is_recovered() -> None:
    from telethon import errors

    from relaygram_telegram_gateway.adapters.telethon_errors import telegram_error

    class Raw:
        def __init__(self, name: str, code: int) -> None:
            self.error_message, self.error_code = name, code

    for name in telegram_errors.RULES:
        wire = name.replace("_X", "_7")
        raised = errors.rpc_message_to_error(Raw(wire, 400), None)
        found = telegram_error(raised)
        assert found is not None
        assert rule_for(found) is telegram_errors.RULES[name], name
    assert telegram_error(OSError("gone")) is None


@pytest.mark.parametrize(
    ("facts", "look"),
    [
        (AttemptFacts(may_be_on_wire=False, age_seconds=100, looked_up=False, has_history=True), False),
        (AttemptFacts(may_be_on_wire=True, age_seconds=1.9, looked_up=False, has_history=True), False),
        (AttemptFacts(may_be_on_wire=True, age_seconds=2.1, looked_up=False, has_history=True), True),
        (AttemptFacts(may_be_on_wire=True, age_seconds=2.1, looked_up=True, has_history=True), False),
        (AttemptFacts(may_be_on_wire=True, age_seconds=2.1, looked_up=False, has_history=False), False),
    ],
)
def test_an_old_attempt_is_looked_up_before_it_is_sent_again(facts: AttemptFacts, look: bool) -> None:
    assert must_look_first(facts, trust_seconds=2.0) is look


def test_an_overdue_answer() -> None:
    def verdict(sent_at: float, heard_at: float) -> str:
        return answer_is_overdue(sent_at=sent_at, last_heard_at=heard_at, now=20.0, timeout_seconds=15.0)

    assert verdict(sent_at=6.0, heard_at=0.0) == "no"
    assert verdict(sent_at=4.0, heard_at=5.0) == "failed"
    assert verdict(sent_at=4.0, heard_at=3.0) == "ask"


def test_three_retries_on_the_network() -> None:
    pauses = [network_retry(failures, jitter=0.0) for failures in (1, 2, 3, 4)]
    assert pauses == [1.0, 2.0, 4.0, None]


def test_peer_flood_rests_longer_each_time() -> None:
    assert [peer_flood_rest(strikes) / 3600 for strikes in (1, 2, 3, 6, 99)] == [1, 2, 4, 24, 24]


# --- looking up what was sent


def _message(number: int, text: str = "hi", date: float = 1000.0, outgoing: bool = True) -> ChatMessage:
    return ChatMessage(number, outgoing, text, date)


def test_the_oldest_message_that_can_be_ours_is_found() -> None:
    history = [
        _message(9),
        _message(8, "hi "),
        _message(7, outgoing=False),
        _message(6, "other"),
        _message(5),
        _message(4, date=900.0),
    ]
    assert find_sent(history, "hi", not_before=950.5, taken=()) == 5
    assert find_sent(history, "hi", not_before=950.5, taken={5}) == 8
    assert find_sent(history, "hi", not_before=950.5, taken={5, 8, 9}) is None
    assert find_sent(history, " hi", not_before=1000.9, taken=()) == 5  # dates are whole seconds


def test_a_page_reaches_back_far_enough() -> None:
    assert reaches_back([], not_before=10.0)
    assert reaches_back([_message(1, date=9.0)], not_before=10.0)
    assert not reaches_back([_message(1, date=10.0)], not_before=10.0)


# --- limits, turns, shares


def test_the_hour_and_the_day_and_the_first_day() -> None:
    limits = parse_limits(
        {"messages_per_second": 3, "messages_per_hour": 100, "messages_per_day": 150, "warm_up": True}
    )
    assert limits == Limits(3, 100, 150, None, warm_up=True)
    assert remaining(limits, Usage(30, 60), account_age_seconds=90_000) == 70
    assert remaining(limits, Usage(30, 140), account_age_seconds=90_000) == 10
    assert remaining(limits, Usage(12, 12), account_age_seconds=10) == 8
    assert remaining(limits, Usage(500, 500), account_age_seconds=90_000) == 0
    assert remaining(parse_limits({}), Usage(5, 5), account_age_seconds=10) is None


def test_campaigns_take_turns_and_those_that_answer_go_first() -> None:
    turns: Turns[int] = Turns()
    assert [turns.choose([1, 2, 3]) for _ in range(6)] == [1, 2, 3, 1, 2, 3]
    assert [turns.choose([1, 2, 3], answering={3}) for _ in range(2)] == [3, 3]
    assert turns.choose([]) is None
    turns.forget(1)
    assert turns.choose([1, 2]) == 1


@given(st.lists(st.sets(st.integers(1, 5), min_size=1), min_size=30, max_size=60))
def test_nobody_waits_longer_than_a_round(rounds: list[set[int]]) -> None:
    turns: Turns[int] = Turns()
    waited = dict.fromkeys(range(1, 6), 0)
    for ready in rounds:
        chosen = turns.choose(sorted(ready))
        for campaign in ready:
            waited[campaign] = 0 if campaign == chosen else waited[campaign] + 1
        assert max(waited.values()) <= 5


@given(st.integers(-5, 500), st.integers(0, 20))
def test_shares_starve_nobody_and_ask_for_no_more(total: int, feeds: int) -> None:
    given_out = shares(total, feeds)
    assert len(given_out) == feeds
    if total > 0:
        assert all(share >= 1 for share in given_out)
        assert sum(given_out) <= max(total, feeds)
    else:
        assert sum(given_out) == 0


# --- leases


def test_a_lease_counts_from_before_its_publication_and_ends_a_margin_early() -> None:
    terms = LeaseTerms(ttl_seconds=8, margin_seconds=1.0)
    assert terms.deadline(100.0) == 107.0
    assert terms.renew_after_seconds * 2 < terms.deadline(0.0)
    assert wait_before_connecting(seen_expired=True, margin_seconds=1.0) == 1.0
    assert wait_before_connecting(seen_expired=False, margin_seconds=1.0) == 0.0


_LOADS = st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 40), min_size=1)


@given(_LOADS, st.integers(0, 50))
def test_whoever_has_the_fewest_takes_what_is_free_and_all_is_taken(loads: dict[str, int], free: int) -> None:
    taken = {name: to_take(loads, name, free) for name in loads}
    assert sum(taken.values()) == free
    fullest = max(loads[name] + taken[name] for name in loads if taken[name]) if free else 0
    assert all(loads[name] + taken[name] >= fullest - 1 for name in loads)


@given(_LOADS)
def test_accounts_move_until_no_two_gateways_differ_by_more_than_one_and_then_rest(loads: dict[str, int]) -> None:
    given = {name: to_let_go(loads, name) for name in loads}
    left = {name: count - given[name] for name, count in loads.items()}
    after = {name: left[name] + to_take(left, name, sum(given.values())) for name in loads}
    assert max(after.values()) - min(after.values()) <= 1
    assert all(to_let_go(after, name) == 0 for name in after)
    # Nobody gives away what it would get back.
    assert all(given[name] == 0 or after[name] == left[name] for name in loads)


# --- campaign states


def _state(version: int, state: str = "running", campaign: int = 7) -> CampaignState:
    return CampaignState(1, campaign, state, version, "broadcast")


def test_an_older_version_never_overwrites_a_newer_one() -> None:
    states = CampaignStates()
    assert not states.runs(7)
    assert states.heard(_state(2))
    assert states.heard(_state(3, "paused"))
    assert not states.heard(_state(2))
    assert not states.runs(7)
    assert states.heard(_state(4))
    assert states.runs(7)
    assert states.of_account(1) == [_state(4)]


def test_what_postgresql_no_longer_lists_has_ended() -> None:
    states = CampaignStates()
    states.heard(_state(2))
    mark = states.begin_reading()
    states.heard(_state(1, campaign=8))  # begun while PostgreSQL was being read
    assert states.read(mark, [])
    assert not states.runs(7)
    assert states.runs(8)


def test_an_end_heard_while_reading_is_not_undone_by_what_was_read() -> None:
    states = CampaignStates()
    states.heard(_state(2))
    mark = states.begin_reading()
    states.ended(7)
    states.read(mark, [_state(2)])
    assert not states.runs(7)
    states.read(states.begin_reading(), [_state(2)])
    assert states.runs(7)


# --- people, texts, log-ins


@pytest.mark.parametrize(
    ("known", "handle", "phone", "bot", "way"),
    [
        (True, None, False, False, "known"),
        (False, "x", True, False, "handle"),
        (False, None, True, False, "phone"),
        (False, None, True, True, "unreachable"),
        (False, None, False, False, "unreachable"),
    ],
)
def test_the_way_to_a_person(known: bool, handle: str | None, phone: bool, bot: bool, way: str) -> None:
    assert way_to(known=known, handle=handle, has_phone=phone, is_bot=bot) == way


@pytest.mark.parametrize(
    ("status", "secrets", "half_way", "step"),
    [
        ("new", {"phone"}, False, Step.SEND_CODE),
        ("new", {"phone"}, True, Step.SEND_CODE),
        ("new", {"bot_token"}, False, Step.BOT),
        ("new", {"session_string"}, False, Step.SESSION),
        ("new", set(), False, Step.NOTHING),
        ("code_required", {"phone"}, True, Step.NOTHING),
        ("code_required", {"phone", "code"}, True, Step.SIGN_IN),
        ("code_required", {"phone", "code"}, False, Step.SEND_CODE),
        ("password_required", {"phone"}, True, Step.NOTHING),
        ("password_required", {"phone", "password"}, True, Step.CHECK_PASSWORD),
        ("active", {"code"}, True, Step.NOTHING),
    ],
)
def test_the_next_step_of_a_log_in(status: str, secrets: set[str], half_way: bool, step: Step) -> None:
    assert next_step(status, secrets, half_way=half_way) is step


def test_refusals_of_a_log_in_are_told_in_words() -> None:
    assert login_steps.refusal("PHONE_CODE_INVALID", message="").status == "code_required"
    assert login_steps.refusal("ODD_THING", message="Telegram refused.").reason == "Telegram refused."
    assert all(verdict.reason.endswith(".") for verdict in login_steps.REFUSALS.values())
