"""Makes FastAPI's schemas say more: formats by name and type, and none of the titles that only repeat names."""

from typing import Any

_INT64_MAX = 2**63 - 1


def tidy(node: Any, name: str = "") -> None:
    """Work on a schema, or anything that holds schemas, in place. `name` is the property's or parameter's."""
    if isinstance(node, list):
        for item in node:
            tidy(item, name)
    elif isinstance(node, dict):
        if isinstance(node.get("title"), str) and {"type", "$ref", "anyOf", "const", "enum"} & node.keys():
            del node["title"]
        _add_format(node, name)
        for key, value in node.items():
            if key == "properties":
                for property_name, schema in value.items():
                    tidy(schema, property_name)
            elif key not in ("example", "examples", "default", "enum", "const"):
                tidy(value, node["name"] if key == "schema" and "in" in node else name)


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not; it can not be null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**{key: value for key, value in schema.items() if key not in ("anyOf", "default")}, **kinds[0]}


def _add_format(schema: dict[str, Any], name: str) -> None:
    if schema.get("type") == "integer" and name != "per_page":  # which is cut, however large
        schema.setdefault("format", "int64" if schema.get("maximum", _INT64_MAX) > 2**31 - 1 else "int32")
        if name.endswith("_id") or name == "id":
            schema.setdefault("minimum", 1)
    elif schema.get("type") == "string" and "enum" not in schema:
        if name.endswith(("_at", "_until")):
            schema.setdefault("format", "date-time")
        elif name == "job_id":
            schema.setdefault("format", "uuid")
