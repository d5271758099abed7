"""What PostgreSQL's text can not hold."""

from collections.abc import Iterator
from typing import Any


def nul_fields(parsed: Any) -> list[str]:
    """The fields (dotted paths) of a JSON value whose text or key contains NUL, each once."""
    return list(dict.fromkeys(_walk(parsed, "")))


def _walk(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if "\0" in value:
            yield path or "body"
    elif isinstance(value, dict):
        for key, inner in value.items():
            if "\0" in key:
                yield path or "body"
            else:
                yield from _walk(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{path}.{index}" if path else str(index))
