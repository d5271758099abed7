"""No secret reaches a log."""

import logging
from typing import Any

import pytest
import structlog

from relaygram_common.logging import configure_logging, redact, without_secrets

_BOT_TOKEN = "123456789:AAF-abcdefghijklmnopqrstuvwxyz012345"
_API_TOKEN = "7|" + "s" * 43


@pytest.mark.parametrize(
    "key",
    ["password", "new_password", "token", "bot_token", "session_string", "api_hash", "Authorization", "phone",
     "login_code", "phone_number", "secret_keys", "postgres_dsn"],
)  # fmt: skip
def test_values_of_secret_keys_are_hidden(key: str) -> None:
    assert redact(None, "info", {"event": "x", key: "anything"}) == {"event": "x", key: "***"}


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://user:hunter2@host/db", "hunter2"),
        (f"Bearer {_API_TOKEN}", "s" * 43),
        (f"using {_BOT_TOKEN} now", _BOT_TOKEN),
        ("could not resolve +4915112345678", "4915112345678"),
    ],
)
def test_shapes_of_secrets_are_hidden_in_any_text(text: str, hidden: str) -> None:
    event = dict(redact(None, "error", {"event": text, "error": text}))
    assert hidden not in str(event)
    assert "***" in event["event"]


def test_what_only_sounds_secret_is_shown() -> None:
    event: dict[str, Any] = {"event": "x", "code": "FLOOD_WAIT", "exit_code": 1, "phone_hash": "ab", "count": 3}
    assert redact(None, "info", dict(event)) == event


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_both_libraries_and_tracebacks_go_the_same_way(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    kept = structlog.get_config(), logging.root.handlers[:], logging.root.level
    try:
        configure_logging(log_format=log_format, level="INFO", service="test")
        try:
            secret_local = "hunter2"  # noqa: F841 - must not be printed as a traceback's local
            raise ValueError("postgresql://user:hunter2@host/db")
        except ValueError:
            structlog.get_logger("a").exception("it.failed", campaign_id=7)
        logging.getLogger("library").warning("token %s", _BOT_TOKEN)
        structlog.get_logger("a").debug("not.shown")
    finally:
        structlog.configure(**kept[0])
        structlog.contextvars.clear_contextvars()
        logging.root.handlers[:] = kept[1]
        logging.root.setLevel(kept[2])
    told = capsys.readouterr().err
    assert "hunter2" not in told
    assert _BOT_TOKEN not in told
    assert "it.failed" in told
    assert "Traceback" in told
    assert "not.shown" not in told


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["x", "1", "1|", "a://", "+1", "a:"])
def test_a_very_long_text_is_searched_in_no_time(piece: str) -> None:
    text = piece * (500_000 // len(piece))
    assert without_secrets({"inner": [text]}) == {"inner": [text]}


def test_secrets_are_hidden_at_any_depth_of_what_is_shown() -> None:
    shown = without_secrets([{"error": {"code": "A"}, "login": {"password": "x", "at": None, "n": 5}}])
    assert shown == [{"error": {"code": "A"}, "login": {"password": "***", "at": None, "n": 5}}]
