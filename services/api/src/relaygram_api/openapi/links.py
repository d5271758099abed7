"""Links: what a thing just made can be asked and told next. Found by names, so that new routes have theirs too."""

import re
from collections.abc import Iterator
from typing import Any

Operations = list[tuple[str, str, dict[str, Any]]]  # path, method, operation


def add_links(operations: Operations) -> None:
    """Link each answer to a POST that makes a thing with the calls whose path has an id of such a thing."""
    for path, method, operation in operations:
        made = _made_by(operation) if method == "post" else None
        for status, response in operation["responses"].items():
            if made and status in ("201", "202"):
                links = dict(_followers(operations, made, path))
                if links:
                    response["links"] = links


def _made_by(operation: dict[str, Any]) -> str | None:
    """The name of the thing, in snake_case."""
    for status in ("201", "202"):
        content = operation["responses"].get(status, {}).get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        if reference.endswith("Answer"):
            name = reference.rpartition("/")[2].removesuffix("Answer")
            return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return None


def _followers(operations: Operations, made: str, path: str) -> Iterator[tuple[str, Any]]:
    for other_path, _, other in operations:
        names = re.findall(r"\{(\w+)\}", other_path)
        if len(names) == 1 and made.endswith(names[0].removesuffix("_id")) and names[0] not in path:
            yield (
                other["operationId"],
                {"operationId": other["operationId"], "parameters": {names[0]: "$response.body#/data/id"}},
            )
