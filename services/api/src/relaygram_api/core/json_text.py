"""What PostgreSQL's text can not hold."""

from typing import Any


def nul_fields(parsed: Any) -> list[str]:
    """The fields (dotted paths) of a JSON value whose text or key contains NUL, each once, in their order."""
    found: dict[str, None] = {}
    # A stack of our own: JSON may be nested deeper than Python calls.
    waiting: list[tuple[Any, str]] = [(parsed, "")]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, str):
            if "\0" in value:
                found[path or "body"] = None
        elif isinstance(value, dict):
            if any("\0" in key for key in value):
                found[path or "body"] = None
            inner = [(one, f"{path}.{key}" if path else key) for key, one in value.items() if "\0" not in key]
            waiting += reversed(inner)
        elif isinstance(value, list):
            inner = [(one, f"{path}.{index}" if path else str(index)) for index, one in enumerate(value)]
            waiting += reversed(inner)
    return list(found)
