"""Status and error of each outcome: the published numbers and names, none of our codes without, filters that agree."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from relaygram_api.core.channel_status import CODES, ERROR_GROUPS, GROUPS, Fault, Status, selection, told
from relaygram_common.contracts.states import RANKS
from relaygram_common.database import migrations
from relaygram_common.templates import text_problem
from relaygram_telegram_gateway.core.telegram_errors import RULES, TelegramError, outcome_of
from tests.api.log_rows import row, write_log
from tests.api.support import Api

SERVICES = Path(__file__).parents[2] / "services"
# What the tables of messaging providers publish, of those that we use: number, name, group; of errors also `permanent`.
STATUSES = {
    26: ("PENDING_ACCEPTED", 1), 7: ("PENDING_ENROUTE", 1), 4: ("UNDELIVERABLE_REJECTED_OPERATOR", 2),
    9: ("UNDELIVERABLE_NOT_DELIVERED", 2), 31: ("UNDELIVERABLE_NOT_SENT", 2), 5: ("DELIVERED_TO_HANDSET", 3),
    15: ("EXPIRED_EXPIRED", 4), 29: ("EXPIRED_DLR_UNKNOWN", 4), 13: ("REJECTED_SENDER", 5),
    14: ("REJECTED_DESTINATION_BLOCKLISTED", 5), 19: ("REJECTED_ROUTE_NOT_AVAILABLE", 5),
    21: ("REJECTED_SYSTEM_ERROR", 5), 25: ("REJECTED_MESSAGE_TOO_LONG", 5), 52: ("REJECTED_DESTINATION", 5),
    100: ("UNDELIVERABLE_REJECTED_PLATFORM", 5),
}  # fmt: skip
ERRORS = {
    0: ("NO_ERROR", 0, False), 255: ("EC_UNKNOWN_ERROR", 1, False), 500: ("EC_PROVIDER_GENERAL_ERROR", 1, False),
    7002: ("EC_UNKNOWN_USER", 1, True), 7003: ("EC_BLOCKED_USER", 1, True), 7004: ("EC_UNAUTHORIZED_ACCESS", 1, True),
    7005: ("EC_FORBIDDEN_ACCESS", 1, True), 7006: ("EC_BAD_REQUEST", 1, True), 7010: ("EC_NO_SESSION", 1, True),
    7011: ("EC_ACCOUNT_ISSUE", 1, True), 7014: ("EC_MEDIA_UPLOAD_ERROR", 1, False),
    7015: ("EC_MEDIA_METADATA_ERROR", 1, True), 7016: ("EC_SPAM_RATE", 1, True),
    7017: ("EC_TOO_MANY_REQUESTS", 1, False), 7022: ("EC_MEDIA_UNSUPPORTED", 1, True),
    7027: ("EC_BLOCKED_CONTENT", 1, True), 7033: ("EC_MARKETING_OPT_OUT", 1, True),
    355: ("EC_MSG_TEXT_TOO_LONG", 2, True), 4100: ("EC_MESSAGE_CANCELED", 2, True),
    4101: ("EC_VALIDITY_EXPIRED", 2, True), 7050: ("EC_PROVIDER_INTERNAL_ERROR", 2, False),
    7051: ("EC_PROVIDER_TIMEOUT", 2, False), 810: ("EC_FAILED_MESSAGE_DELIVERY", 3, True),
    7080: ("EC_INTERNAL_ERROR", 3, True), 7081: ("EC_CONFIGURATION_ERROR", 3, True),
}  # fmt: skip
STATES = [state.value for state in RANKS]
ELSEWHERE = ["X_1", "30003", ""]  # codes of other channels' gateways


def numbers(state: str, code: str | None = None, message: str | None = None, **more: Any) -> tuple[int, int, int, int]:
    """Group and id of the status, group and id of the error."""
    status, fault = told(state, code, message, permanent=more.get("permanent"))
    return GROUPS.index(status.group), status.id, fault.group_id, fault.id


def everything_told() -> list[tuple[Status, Fault]]:
    texts = [
        "",
        "The text has 5000 characters for this person; Telegram takes 4096.",
        "x (PHOTO_INVALID)",
        "x: RPC_CALL.",
    ]
    return [
        told(state, code, text, permanent=permanent)
        for state in STATES
        for code in (*CODES, *ELSEWHERE, None)
        for text in texts
        for permanent in (True, False, None)
    ]


def test_numbers_names_and_groups_are_the_published_ones() -> None:
    told_of = everything_told()
    assert {status.id: (status.name, GROUPS.index(status.group)) for status, _ in told_of} == STATUSES
    assert {fault.id: (fault.name, fault.group_id, fault.permanent) for _, fault in told_of} == ERRORS
    assert ERROR_GROUPS == ("OK", "HANDSET_ERRORS", "USER_ERRORS", "OPERATOR_ERRORS")


@pytest.mark.parametrize(
    ("state", "expected"),
    [("queued", (1, 26, 0, 0)), ("sending", (1, 7, 0, 0)), ("retrying", (1, 7, 0, 0))]
    + [(state, (3, 5, 0, 0)) for state in ("sent", "delivered", "read", "replied")],
)
def test_what_did_not_fail_has_no_error_whatever_its_code(state: str, expected: tuple[int, ...]) -> None:
    assert {numbers(state, code) for code in (None, "NETWORK", "LOG_INCOMPLETE", "X_1")} == {expected}


@pytest.mark.parametrize(
    ("telegram", "code", "expected"),
    [
        ("USER_PRIVACY_RESTRICTED", 403, (2, 9, 1, 7005)),
        ("PRIVACY_PREMIUM_REQUIRED", 406, (2, 9, 1, 7005)),
        ("ALLOW_PAYMENT_REQUIRED_1775", 403, (2, 9, 1, 7005)),
        ("USER_IS_BLOCKED", 403, (2, 9, 1, 7003)),
        ("YOU_BLOCKED_USER", 400, (2, 9, 1, 7003)),
        ("INPUT_USER_DEACTIVATED", 400, (2, 9, 1, 7002)),
        ("USERNAME_NOT_OCCUPIED", 400, (5, 52, 1, 7002)),
        ("PHONE_NOT_OCCUPIED", 400, (5, 52, 1, 7002)),
        ("USERNAME_INVALID", 400, (5, 52, 1, 7006)),
        ("PHONE_NUMBER_INVALID", 400, (5, 52, 1, 7006)),
        ("PEER_ID_INVALID", 400, (5, 52, 1, 7006)),
        ("MESSAGE_TOO_LONG", 400, (5, 25, 2, 355)),
        ("MEDIA_CAPTION_TOO_LONG", 400, (5, 25, 2, 355)),
        ("MESSAGE_EMPTY", 400, (5, 100, 1, 7006)),
        ("ENTITY_BOUNDS_INVALID", 400, (5, 100, 1, 7006)),
        ("BUTTON_URL_INVALID", 400, (5, 100, 1, 7006)),
        ("PHOTO_INVALID_DIMENSIONS", 400, (5, 100, 1, 7022)),
        ("MEDIA_INVALID", 400, (5, 100, 1, 7022)),
        ("FILE_REFERENCE_EXPIRED", 400, (5, 100, 1, 7014)),
        ("SOMETHING_NEW", 400, (2, 4, 3, 810)),
    ],
)
def test_a_refusal_of_telegrams(telegram: str, code: int, expected: tuple[int, ...]) -> None:
    refused = outcome_of(TelegramError(telegram, code))
    assert numbers("failed", refused.code, refused.message, permanent=True) == expected  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("state", "code", "message", "expected"),
    [
        ("discarded", "SUPPRESSED", "", (5, 14, 1, 7033)),
        ("discarded", "STOPPED", "", (2, 31, 2, 4100)),
        ("discarded", "DELETED", "", (2, 31, 2, 4100)),
        ("discarded", "REPLIED", "", (2, 31, 2, 4100)),
        ("discarded", "GONE", "", (2, 31, 2, 4100)),
        ("discarded", "EXPIRED", "", (4, 15, 2, 4101)),
        ("expired", "TRIGGER_EXPIRED", "", (4, 15, 2, 4101)),
        ("expired", None, None, (4, 15, 2, 4101)),
        ("expired", "NETWORK", "", (4, 15, 2, 7051)),
        ("failed", "PEER_FLOOD", "", (2, 4, 1, 7016)),
        ("failed", "FLOOD_WAIT", "", (4, 15, 1, 7017)),
        ("failed", "ACCOUNT_BANNED", "", (5, 13, 1, 7011)),
        ("failed", "ACCOUNT_UNAUTHORIZED", "", (5, 13, 1, 7004)),
        ("failed", "CONFIG_ERROR", "", (5, 19, 3, 7081)),
        ("failed", "OUTCOME_UNKNOWN", "", (4, 29, 2, 7051)),
        ("failed", "NETWORK", "Tried 40 times without an answer.", (2, 9, 2, 7051)),
        ("failed", "NETWORK", "Telegram could not be reached properly: no answer.", (2, 9, 2, 7051)),
        ("failed", "NETWORK", "Telegram could not be reached properly: RPC_CALL_FAIL.", (2, 4, 2, 7050)),
        ("failed", "INVALID_CONTENT", text_problem("x" * 5000), (5, 25, 2, 355)),
        ("failed", "INVALID_CONTENT", text_problem("x" * 5000, is_caption=True), (5, 25, 2, 355)),
        ("failed", "INVALID_CONTENT", text_problem(" "), (5, 100, 1, 7006)),
        ("failed", "X_1", "", (2, 9, 1, 500)),
        ("failed", None, None, (2, 9, 1, 500)),
        ("discarded", "X_1", "", (2, 31, 2, 4100)),
    ],
)
def test_an_outcome_of_ours(state: str, code: str | None, message: str | None, expected: tuple[int, ...]) -> None:
    assert numbers(state, code, message) == expected


def test_an_unknown_code_is_told_by_whether_it_is_final() -> None:
    assert numbers("failed", "30003", permanent=True) == (2, 4, 3, 810)
    assert numbers("failed", "30003", permanent=False) == (2, 9, 1, 500)


def test_no_code_of_ours_is_without_a_row_and_no_row_without_a_code() -> None:
    # Messages that met quiet hours are due again: this is never the last that is heard of one.
    assert codes_of_ours() - {"QUIET_HOURS"} == set(CODES)


def codes_of_ours() -> set[str]:
    """Every code that an outcome can have: in the table of Telegram's errors, in the sources, in admission's SQL."""
    found = {rule.code for rule in RULES.values() if rule.code}
    for service in ("telegram-gateway", "dispatcher", "log-writer"):
        for path in (SERVICES / service / "src").rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                found |= _codes_in(node)
    [admission] = (Path(migrations.__file__).parent / "versions").glob("*_admission.sql")
    text = admission.read_text()
    [dropped] = set(re.findall(r"g\.decision in \(('stopped'[^)]*)\)", text))
    found |= {word.upper() for word in re.findall(r"\w+", dropped)}
    return found | set(re.findall(r"'([A-Z][A-Z_]+)'", text))


def _codes_in(node: ast.AST) -> set[str]:
    values: list[ast.expr] = []
    if isinstance(node, ast.Call):
        values = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        if getattr(node.func, "id", "") in ("Refused", "Wait"):
            values += node.args
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            given = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            values += [
                value
                for name, value in zip(names, given, strict=False)
                if isinstance(name, ast.Name)
                and (name.id == "code" or (isinstance(value, ast.Constant) and name.id == value.value))
            ]
    constants = [part.value for value in values for part in ast.walk(value) if isinstance(part, ast.Constant)]
    return {text for text in constants if isinstance(text, str) and re.fullmatch(r"[A-Z][A-Z_]+", text)}


def test_the_page_of_the_log_tells_of_each_code_what_the_table_says() -> None:
    page = (SERVICES.parent / "docs" / "logs.md").read_text(encoding="utf-8")
    line = re.compile(r"^\| ((?:`[A-Z_]+` ?)+) \| (\d+) `(\w+)` \| (\d+) `(\w+)`(, not permanent)? \|$", re.MULTILINE)
    written = {
        code: (int(status), status_name, int(fault), fault_name, not passing)
        for codes, status, status_name, fault, fault_name, passing in line.findall(page)
        for code in re.findall(r"[A-Z_]+", codes)
    }
    assert written == {
        code: (status.id, status.name, fault.id, fault.name, fault.permanent) for code, (status, fault) in CODES.items()
    }


async def test_the_filter_selects_exactly_what_shows_its_group(api: Api) -> None:
    rows = [
        row(-api.workspace_id, state, channel="matrix", error_code=code, error_permanent=permanent)
        for state in STATES
        for code in (*CODES, *ELSEWHERE, None)
        for permanent in (True, False)
    ]
    await write_log(api, rows)
    shown = await read(api)
    assert len(shown) == len(rows)
    assert set(shown.values()) == set(GROUPS) - {"ACCEPTED"}
    for group in GROUPS:
        selected = await read(api, generalStatus=group)
        assert set(selected) == {one for one, its_group in shown.items() if its_group == group}
        assert set(selected.values()) <= {group}


async def read(api: Api, **filters: str) -> dict[str, str]:
    """All messages of the matrix that pass, and the groups that they show."""
    answer = await api.client.get("/matrix/1/logs", params={"limit": 1000, **filters})
    assert answer.status_code == 200
    return {one["messageId"]: one["status"]["groupName"] for one in answer.json()["results"]}


def test_nothing_is_ever_only_accepted() -> None:
    assert selection("ACCEPTED").is_empty
    assert not any(selection(group).is_empty for group in GROUPS[1:])
