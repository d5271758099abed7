"""The limits of a Telegram account: defaults, bounds, and how a change is merged in."""

from collections.abc import Mapping
from typing import Any, Final

Limits = dict[str, Any]

# The least and the most of each number, and whether null (no limit) may be said outside a sandbox.
_BOUNDS: Final[dict[str, tuple[int, int, bool]]] = {
    "messages_per_second": (1, 1000, False),
    "messages_per_hour": (1, 1_000_000, True),
    "messages_per_day": (1, 10_000_000, True),
    "resolves_per_minute": (1, 1000, False),
}


def default_limits(kind: str, *, sandbox: bool) -> Limits:
    """What an account gets that is told nothing else."""
    per_second = 30 if sandbox else {"user": 1, "bot": 25}[kind]
    return {
        "messages_per_second": per_second,
        "messages_per_hour": None,
        "messages_per_day": None,
        "warm_up": not sandbox,
        "resolves_per_minute": 20,
    }


def limit_problems(change: Mapping[str, Any], *, sandbox: bool) -> dict[str, list[str]]:
    """What is wrong with a change, by field; empty when nothing is."""
    problems: dict[str, list[str]] = {}
    for name, value in change.items():
        if problem := _problem(name, value, sandbox=sandbox):
            problems[f"limits.{name}"] = [problem]
    return problems


def merge_limits(current: Limits, change: Mapping[str, Any]) -> Limits:
    """The keys given win, the others stay."""
    return {**current, **change}


def limits_schema() -> dict[str, Any]:
    """The bounds as JSON Schema."""
    numbers = {
        name: {"type": ["integer", "null"], "minimum": least, "maximum": most}
        for name, (least, most, _) in _BOUNDS.items()
    }
    return {"type": "object", "additionalProperties": False, "properties": {**numbers, "warm_up": {"type": "boolean"}}}


def _problem(name: str, value: Any, *, sandbox: bool) -> str | None:
    if name == "warm_up":
        return None if isinstance(value, bool) else "should be true or false"
    if name not in _BOUNDS:
        return "is not a known field"
    least, most, nullable = _BOUNDS[name]
    if value is None:
        return None if nullable or sandbox else "can not be null outside a sandbox"
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        return f"should be an integer from {least} to {most}"
    return None
