"""The document is OpenAPI 3.1, complete, and its examples fit what they are examples of."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator

from relaygram_api import openapi
from relaygram_api.openapi.examples import REQUESTS, THINGS
from relaygram_api.web import create_app

DOCUMENT = openapi.document(create_app(None))
COMPONENTS = DOCUMENT["components"]
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
CAMPAIGN_API = [(name, operation) for name, operation in OPERATIONS if "/api/v1/" in name]
OTHER_SHAPES = [one for one in OPERATIONS if one not in CAMPAIGN_API]
each_operation = pytest.mark.parametrize(
    ("name", "operation"), OPERATIONS, ids=lambda value: value if isinstance(value, str) else ""
)


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a reference into the document stands for."""
    target: Any = DOCUMENT
    for key in node["$ref"].removeprefix("#/").split("/") if "$ref" in node else ():
        target = target[key]
    return target if "$ref" in node else node


def demand_valid(example: Any, schema: dict[str, Any]) -> None:
    """The example is what the schema describes; references go into the document."""
    OAS31Validator({**schema, "components": COMPONENTS}, format_checker=oas31_format_checker).validate(example)


def test_it_is_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_names_for_clients_are_unique_and_every_tag_is_told_in_order() -> None:
    ids = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", one) for one in ids)
    tags = [tag for _, operation in OPERATIONS for tag in operation["tags"]]
    missing = set(tags) - {tag["name"] for tag in DOCUMENT["tags"]}
    assert not missing, f"say in openapi/prose.py what {missing} is about"


@each_operation
def test_every_operation_is_described(name: str, operation: dict[str, Any]) -> None:
    assert operation["description"]
    assert operation["tags"]
    assert {"401", "429", "503"} <= set(operation["responses"])
    assert (operation["security"] == []) == (operation["operationId"] == "login")
    assert ("404" in operation["responses"]) == ("{" in name)
    for parameter in map(resolved, operation.get("parameters", [])):
        assert parameter.get("description"), f"describe {parameter['name']}"


@pytest.mark.parametrize(("name", "operation"), CAMPAIGN_API, ids=[name for name, _ in CAMPAIGN_API])
def test_every_error_has_its_code_words_and_an_example_of_each(name: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if int(status) < 400:
            continue
        content = resolved(response)["content"]["application/json"]
        words = content["schema"]["properties"]["code"]["enum"]
        assert words, f"{name}: say in openapi/error_answers.py which code words its {status} has"
        assert list(content["examples"]) == words
        for word, example in content["examples"].items():
            demand_valid(example["value"], content["schema"])
            assert example["value"]["code"] == word
            assert ("errors" in example["value"]) == (status == "422")
        tells_when = status in ("429", "503") or "idempotency_key_in_use" in words
        assert ("Retry-After" in resolved(response)["headers"]) == tells_when


@pytest.mark.parametrize(("name", "operation"), OTHER_SHAPES, ids=[name for name, _ in OTHER_SHAPES])
def test_every_error_of_the_other_shapes_has_an_example_in_its_surfaces_own(
    name: str, operation: dict[str, Any]
) -> None:
    errors = {int(status): told for status, told in operation["responses"].items() if int(status) >= 400}
    assert {400, 401, 403, 429, 500, 503} <= set(errors)
    assert 422 not in errors
    for status, told in errors.items():
        content = told["content"]["application/json"]
        assert content["schema"] != {"$ref": "#/components/schemas/Error"}
        demand_valid(content["example"], content["schema"])
        assert ("Retry-After" in told["headers"]) == (status in (429, 503))


@each_operation
def test_every_answer_and_every_request_has_an_example_that_fits(name: str, operation: dict[str, Any]) -> None:
    contents = {
        f"{place} of {name}": (kind, media)
        for place, told in [("request", operation.get("requestBody", {})), *operation["responses"].items()]
        if place == "request" or int(place) < 400
        for kind, media in resolved(told).get("content", {}).items()
    }
    for place, (kind, media) in contents.items():
        examples = (
            [media["example"]] if "example" in media else [one["value"] for one in media.get("examples", {}).values()]
        )
        assert examples, f"{place} has no example for {media['schema']}: add one to openapi/examples.py"
        if kind == "application/json":
            for example in examples:
                demand_valid(example, media["schema"])


@pytest.mark.parametrize("name", [name for name in COMPONENTS["schemas"] if not name.endswith(("Answer", "List"))])
def test_every_schema_says_what_it_is(name: str) -> None:
    assert COMPONENTS["schemas"][name].get("description")


@pytest.mark.parametrize("name", [name for name in COMPONENTS["schemas"] if not name.endswith("Answer")])
def test_every_field_says_what_it_is(name: str) -> None:
    for field, schema in COMPONENTS["schemas"][name].get("properties", {}).items():
        assert schema.get("description"), f"say in its schema or in openapi/field_texts.py what {name}.{field} is"


def test_every_code_word_of_the_sources_is_described() -> None:
    described = {
        word
        for _, operation in CAMPAIGN_API
        for status, response in operation["responses"].items()
        if int(status) >= 400
        for word in resolved(response)["content"]["application/json"]["schema"]["properties"]["code"]["enum"]
    }
    # Of no single operation: unknown addresses, wrong methods, our own faults.
    assert code_words() - described - {"method_not_allowed", "bad_request", "internal_error"} == set()


def code_words() -> set[str]:
    """Each word that the api's sources give to an ApiError."""
    sources = Path(openapi.__file__).parents[1].rglob("*.py")
    calls = [node for path in sources for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    places = {"ApiError": 1, "conflict": 0}
    found: list[ast.expr] = []
    for call in calls:
        name = getattr(call.func, "id", "")
        if name in places and len(call.args) > places[name]:
            found.append(call.args[places[name]])
        if name in ("invalid", "ApiError", "conflict"):
            found += [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    return {node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_the_examples_of_campaigns_and_logs_are_the_seeds() -> None:
    seed = {
        "id": 1, "name": "Pricing replies", "mode": "auto_reply", "trigger_keyword": "pricing", "status": "running",
        "telegram_account_id": 3, "scheduled_at": None, "started_at": "2026-04-18T09:14:02Z", "completed_at": None,
        "total_contacts": 0, "sent_count": 87, "failed_count": 1,
    }  # fmt: skip
    assert seed.items() <= THINGS["Campaign"].items()
    logged = {
        "id": 88212, "campaign_id": 1, "sender_id": 904, "direction": "outbound",
        "body": "Hey Jane, happy to send pricing over.", "status": "sent", "telegram_message_id": "1827361234",
        "triggered_by_message_id": "1827361231", "sequence_step": 0,
    }  # fmt: skip
    assert logged.items() <= THINGS["LogRow"].items()
    assert REQUESTS["CampaignCreate"] == {
        "name": "Support triage", "mode": "auto_reply", "trigger_keyword": "help", "telegram_account_id": 3,
        "body": "Hey! A human will follow up within one business hour.",
    }  # fmt: skip
    assert REQUESTS["CampaignChange"] == {"trigger_keyword": "price"}
