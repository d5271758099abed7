"""Links: what a thing just made can be asked and told next. Found by names, so that new routes have theirs too."""

import re
from collections.abc import Iterator
from typing import Any

Operations = list[tuple[str, str, dict[str, Any]]]  # path, method, operation


def add_links(operations: Operations, schemas: dict[str, Any]) -> None:
    """Link each answer to a POST that makes a thing with the calls whose path has an id of such a thing."""
    for path, method, operation in operations:
        for status in ("201", "202") if method == "post" else ():
            response = operation["responses"].get(status, {})
            schema = response.get("content", {}).get("application/json", {}).get("schema", {})
            name = schema.get("$ref", "").rpartition("/")[2].removesuffix("Answer")
            if links := dict(_followers(operations, path, name, schemas.get(name, {}).get("properties", {}))):
                response["links"] = links


def _followers(operations: Operations, path: str, made: str, fields: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    known = _ids_in(path)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", made).lower()
    for other_path, _, other in operations:
        sources = {
            name: f"$request.path.{name}" if name in known else _place(name, words, fields)
            for name in _ids_in(other_path)
        }
        if sources.keys() - known and None not in sources.values():
            yield other["operationId"], {"operationId": other["operationId"], "parameters": sources}


def _place(name: str, words: str, fields: dict[str, Any]) -> str | None:
    if words.endswith(name.removesuffix("_id")) and "id" in fields:
        return "$response.body#/data/id"
    return f"$response.body#/data/{name}" if name in fields else None


def _ids_in(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)
