"""The OpenAPI document: what FastAPI knows of the routes, completed so that a stranger can write a client from it."""

from importlib.metadata import version
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from relaygram_api.openapi import error_answers, examples, headers, prose, shaped_errors
from relaygram_api.openapi.field_texts import TEXTS
from relaygram_api.openapi.links import add_links
from relaygram_api.openapi.tidy import tidy, without_null
from relaygram_api.surfaces import CAMPAIGN_API, Surface, surface_at


def document(app: FastAPI) -> dict[str, Any]:
    """Describe an application's routes."""
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]
    described = get_openapi(
        title=prose.TITLE,
        summary=prose.SUMMARY,
        version=version("relaygram-api"),
        openapi_version="3.1.0",
        description=prose.INTRODUCTION,
        routes=routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        separate_input_output_schemas=False,
    )
    described = _named_as_classes(described)
    used = {tag for route in routes for tag in route.tags}
    described["tags"] = [{"name": name, "description": text} for name, text in prose.TAGS if name in used]
    _complete_components(described["components"])
    operations = []
    for route in routes:
        for method in route.methods or ():
            operation = described["paths"][route.path_format][method.lower()]
            _complete(operation, route, method, described["components"]["schemas"])
            operations.append((route.path_format, method.lower(), operation))
    add_links(operations, described["components"]["schemas"])
    tidy(described["paths"])
    tidy(described["components"]["schemas"])
    return described


def text(app: FastAPI) -> bytes:
    """The document as it is committed."""
    return orjson.dumps(document(app), option=orjson.OPT_INDENT_2) + b"\n"


def _named_as_classes(described: dict[str, Any]) -> dict[str, Any]:
    """pydantic calls a parametrized model One_Campaign_, whatever the class calls itself."""
    text = orjson.dumps(described).decode()
    for key, schema in described["components"]["schemas"].items():
        if key.endswith("_") and schema["title"] != key:
            text = text.replace(f'/schemas/{key}"', f'/schemas/{schema["title"]}"').replace(
                f'"{key}":', f'"{schema["title"]}":'
            )
    named: dict[str, Any] = orjson.loads(text)
    return named


def _complete_components(components: dict[str, Any]) -> None:
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token as `POST /api/v1/login` gives it."},
        "app": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The same token as clients of messaging providers send it: `App 7|Q3o9…`.",
        },
    }
    schemas = components["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for name, schema in schemas.items():
        if example := examples.THINGS.get(name) or examples.REQUESTS.get(name):
            schema["examples"] = [example]
        for field, told in schema.get("properties", {}).items():
            if text := TEXTS.get(f"{name}.{field}") or TEXTS.get(field):
                told.setdefault("description", text)
    schemas |= {"Error": error_answers.SCHEMA, **shaped_errors.schemas()}
    components["responses"] = error_answers.shared()
    components["headers"] = headers.HEADERS
    components["parameters"] = {"Idempotency-Key": headers.IDEMPOTENCY_KEY}


def _complete(operation: dict[str, Any], route: APIRoute, method: str, schemas: dict[str, Any]) -> None:
    abilities, surface = _abilities(route), surface_at(route.path_format) or CAMPAIGN_API
    operation["summary"] = operation["operationId"].replace("_", " ").capitalize().replace("telegram", "Telegram")
    operation["security"] = _security(operation["operationId"], surface, abilities)
    for ability in abilities:
        operation["description"] = f"{operation.get('description', '')}\n\nAbility: `{ability}`.".strip()
    kinds = _kinds(operation, method)
    if "POST" in kinds:
        operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/Idempotency-Key"})
    _complete_request(operation, schemas)
    statuses = _statuses(operation, needs_ability=bool(abilities))
    responses = operation["responses"]
    for status in [status for status in responses if int(status) >= 400]:
        statuses |= {int(status)} - {422}
        del responses[status]
    for status, response in responses.items():
        _complete_answer(operation["operationId"], status, response, kinds, schemas)
    if surface is CAMPAIGN_API:
        error_answers.add_errors(operation, statuses, kinds)
    else:
        shaped_errors.add_errors(operation, statuses | ({409} if "POST" in kinds else set()), surface)


def _security(operation_id: str, surface: Surface, abilities: list[str]) -> list[dict[str, list[str]]]:
    if operation_id == "login":
        return []
    return [{"token": abilities}, *([{"app": abilities}] if "app" in surface.schemes else [])]


def _kinds(operation: dict[str, Any], method: str) -> set[str]:
    named = {parameter.get("name") for parameter in operation.get("parameters", [])} & {"If-Match", "If-None-Match"}
    return {*named, *(["POST"] if method == "POST" and operation["operationId"] != "login" else [])}


def _complete_request(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if "schema" not in parameter:
            continue
        parameter["schema"] = without_null(parameter["schema"])
        name, place = parameter["name"], parameter["in"]
        if place == "path":
            parameter.setdefault("description", f"The {name.removesuffix('_id').replace('_', ' ')}'s `id`.")
        elif name in prose.PARAMETERS:
            parameter.setdefault("description", prose.PARAMETERS[name])
    body = operation.get("requestBody", {})
    name = _referenced(body.get("content", {}).get("application/json", {}))
    if name in schemas and "description" in schemas[name]:
        body.setdefault("description", schemas[name]["description"])
    if name in examples.REQUESTS:
        body["content"]["application/json"]["example"] = examples.REQUESTS[name]


def _statuses(operation: dict[str, Any], *, needs_ability: bool) -> set[int]:
    has_body = "requestBody" in operation
    parameters = operation.get("parameters", [])
    takes_fields = has_body or any(parameter.get("in") in ("query", "header") for parameter in parameters)
    statuses = {401, 429, 503}
    statuses |= {408, 413, 415} if has_body else set()
    statuses |= {422} if takes_fields else set()
    statuses |= {403} if needs_ability or operation["operationId"] == "create_token" else set()
    statuses |= {404} if any(parameter.get("in") == "path" for parameter in parameters) else set()
    return statuses


def _complete_answer(
    operation_id: str, status: str, response: dict[str, Any], kinds: set[str], schemas: dict[str, Any]
) -> None:
    if response["description"] == "Successful Response":
        response["description"] = prose.ANSWERS.get(status, "Done.")
    names = [headers.REQUEST_ID, *(headers.RATE_LIMIT if operation_id != "login" else ())]
    response.setdefault("headers", {}).update(
        headers.references(*names, *([headers.REPLAYED] if "POST" in kinds else []))
    )
    for kind, media in response.get("content", {}).items():
        if kind != "application/json":
            media["example"] = examples.FILES.get(f"{operation_id} {kind}", examples.FILES.get(operation_id, ""))
        elif name := _referenced(media):
            media["example"] = _example(operation_id, schemas[name], schemas)


def _example(operation_id: str, envelope: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """An envelope with the example of what it holds; what is no envelope has one of its own."""
    if "meta" not in envelope["properties"]:
        whole: dict[str, Any] = examples.ANSWERS[operation_id]
        return whole
    data = envelope["properties"]["data"]
    one = examples.ANSWERS.get(operation_id) or examples.THINGS.get(_referenced({"schema": data.get("items", data)}))
    meta = schemas.get(_referenced({"schema": envelope["properties"]["meta"]}), {}).get("required", ())
    return {
        "data": [one] if "items" in data else one,
        "meta": {key: value for key, value in examples.META.items() if key in meta},
    }


def _referenced(content: dict[str, Any]) -> str:
    schema = content.get("schema", {})
    references = [kind["$ref"] for kind in [schema, *schema.get("anyOf", [])] if "$ref" in kind]
    return str(references[0]).rpartition("/")[2] if references else ""


def _abilities(route: APIRoute) -> list[str]:
    found = [getattr(dependency.call, "ability", None) for dependency in route.dependant.dependencies]
    return [ability for ability in found if ability]
