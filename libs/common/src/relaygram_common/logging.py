"""Structured logs: one event a line, JSON or coloured, and no secret in any of them."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

# Keys whose values never belong in a log, whatever they hold.
_SECRET_KEYS = re.compile(
    r"password|secret|token|session_string|api_hash|authorization|phone(?!_hash|_code)|code$|dsn",
    re.IGNORECASE,
)
# Shapes of secrets inside other texts: credentials in a URL, our API tokens, bot tokens, phone numbers.
_SECRET_SHAPES = [
    (re.compile(r"(\b\w+://[^:/\s@]+:)[^@/\s]+@"), r"\1***@"),
    (re.compile(r"\b\d+\|[A-Za-z0-9_-]{20,}"), "***"),
    (re.compile(r"\b\d{6,}:[A-Za-z0-9_-]{30,}"), "***"),
    (re.compile(r"\+\d{7,15}\b"), "+***"),
]
_NAMES_THAT_ONLY_SOUND_SECRET = frozenset({"code", "error_code", "status_code", "exit_code"})


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A structlog processor that hides values by key and by shape."""
    for key, value in event.items():
        if key not in _NAMES_THAT_ONLY_SOUND_SECRET and _SECRET_KEYS.search(key):
            event[key] = "***"
        elif isinstance(value, str):
            for shape, replacement in _SECRET_SHAPES:
                value = shape.sub(replacement, value)
            event[key] = value
    return event


def without_secrets(value: Any) -> Any:
    """The same for what was read from JSON, at any depth: for showing a message of others to a person."""
    if isinstance(value, Mapping):
        return {
            key: inner if inner is None else without_secrets(redact(None, "", {key: inner})[key])
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(inner) for inner in value]
    return redact(None, "", {"text": value})["text"]


def configure_logging(*, log_format: str, level: str, service: str) -> None:
    """Set up structlog, and send the standard library's records the same way."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # While PostgreSQL is away asyncpg's pool would print a traceback for each try; who needs it says so in one line.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
