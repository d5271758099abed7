"""The client against docs/openapi.json: every call, every parameter, every field of every answer."""

import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints, is_typeddict

import pytest
from pydantic.alias_generators import to_snake

import relaygram_client
from relaygram_client.accounts import Accounts, LimitChanges
from relaygram_client.audit import Audit
from relaygram_client.campaigns import Campaigns, FollowUpGiven, QuietHoursGiven, StepGiven
from relaygram_client.channel_logs import ChannelLogs
from relaygram_client.contacts import Contacts
from relaygram_client.delivery_events import DeliveryEvents
from relaygram_client.imports import Imports
from relaygram_client.logs import Logs
from relaygram_client.media import Media
from relaygram_client.models import (
    accounts,
    audit,
    campaigns,
    channel_logs,
    contacts,
    delivery_events,
    identity,
    logs,
    media,
    people,
    previews,
    send_logs,
    shape,
    stats,
    steps,
)
from relaygram_client.models.shape import Shape
from relaygram_client.people import People
from relaygram_client.send_logs import SendLogs
from relaygram_client.session import Session
from relaygram_client.suppressions import Suppressions
from relaygram_client.tokens import Tokens

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
CALLS: dict[str, tuple[Callable[..., Any], ...]] = {
    "login": (Session.login,),
    "logout": (Session.logout,),
    "get_me": (Session.me,),
    "list_tokens": (Tokens.list,),
    "create_token": (Tokens.create,),
    "revoke_token": (Tokens.revoke,),
    "list_telegram_accounts": (Accounts.list,),
    "connect_telegram_account": (Accounts.connect_phone, Accounts.connect_bot, Accounts.connect_session),
    "get_telegram_account": (Accounts.get,),
    "update_telegram_account": (Accounts.update,),
    "delete_telegram_account": (Accounts.delete,),
    "enter_telegram_code": (Accounts.enter_code,),
    "enter_telegram_password": (Accounts.enter_password,),
    "resend_telegram_code": (Accounts.resend_code,),
    "reconnect_telegram_account": (Accounts.connect_again,),
    "get_steps": (Campaigns.steps,),
    "replace_steps": (Campaigns.replace_steps,),
    "add_media": (Media.add, Media.add_by_url),
    "get_media": (Media.get,),
    "list_campaigns": (Campaigns.list,),
    "create_campaign": (Campaigns.create,),
    "get_campaign": (Campaigns.get,),
    "update_campaign": (Campaigns.update,),
    "delete_campaign": (Campaigns.delete,),
    "start_campaign": (Campaigns.start,),
    "pause_campaign": (Campaigns.pause,),
    "stop_campaign": (Campaigns.stop,),
    "import_contacts": (Contacts.import_csv, Contacts.add),
    "list_senders": (Contacts.list,),
    "get_import": (Imports.get,),
    "list_import_errors": (Imports.errors, Imports.errors_csv),
    "list_logs": (Logs.list,),
    "list_all_logs": (Logs.list_all,),
    "stream_logs": (Logs.stream,),
    "create_stream_ticket": (Logs.stream_ticket,),
    "export_logs": (Logs.export, Logs.export_file),
    "get_campaign_stats": (Campaigns.stats,),
    "preview_campaign": (Campaigns.preview,),
    "test_campaign": (Campaigns.test,),
    "get_campaign_test": (Campaigns.get_test,),
    "remove_contact": (Contacts.remove,),
    "list_suppressions": (Suppressions.list,),
    "suppress_people": (Suppressions.add, Suppressions.add_many, Suppressions.add_csv),
    "delete_suppression": (Suppressions.delete,),
    "erase_person": (People.erase,),
    "take_delivery_events": (DeliveryEvents.add,),
    "list_audit": (Audit.list,),
}
#: Another spelling of a call that the client has, and pages for people.
LEFT_OUT = {"patch_campaign"}
#: What Listing does by itself, what the method's name says, what the client does by itself, and what only a browser
#: needs.
BY_ITSELF = {"ticket", "page", "per_page", "cursor", "format", "kind", "Idempotency-Key"}
RENAMED = {"QuietHoursShown": "QuietHours", "FollowUpShown": "FollowUp", "Media": "MediaFile"}
MODELS: dict[str, type[Shape]] = {
    name: model
    for module in (
        accounts,
        audit,
        campaigns,
        contacts,
        delivery_events,
        identity,
        logs,
        media,
        people,
        previews,
        shape,
        stats,
        steps,
    )
    for name, model in vars(module).items()
    if inspect.isclass(model) and issubclass(model, Shape) and model is not Shape
}


#: The other shapes, which have names as their users know them.
OTHER_CALLS: dict[str, tuple[Callable[..., Any], ...]] = {
    "list_telegram_logs": (ChannelLogs.list, ChannelLogs.page),
    "list_messenger_logs": (ChannelLogs.list, ChannelLogs.page),
    "list_instagram_logs": (ChannelLogs.list, ChannelLogs.page),
    "get_send_log": (SendLogs.get,),
    "search_send_logs": (SendLogs.search,),
}
OTHER_MODELS: dict[str, type[Shape]] = {
    name: model
    for module in (channel_logs, send_logs)
    for name, model in vars(module).items()
    if inspect.isclass(model) and issubclass(model, Shape) and not name.startswith("_") and model is not Shape
}
OTHER_RENAMED = {"SendLogSearch": "SendLogsFound"}


def operations(*, other: bool = False) -> Iterator[dict[str, Any]]:
    """Of the campaign API, or of the other shapes."""
    for address, path in DOCUMENT["paths"].items():
        for method, operation in path.items():
            if method != "parameters" and address.startswith("/api/v1/") is not other:
                yield operation


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """Behind a reference, wherever in the document it leads."""
    while "$ref" in part:
        found: Any = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def accepted_names(call: Callable[..., Any]) -> set[str]:
    """The parameters of a method; those of an unpacked TypedDict one by one."""
    names: set[str] = set()
    for name, hint in get_type_hints(call, include_extras=True).items():
        (inner, *_) = get_args(hint) or (None,)
        names |= set(inner.__annotations__) if is_typeddict(inner) else {name}
    return names - {"return"}


def wanted_names(operation: dict[str, Any]) -> set[str]:
    """What the document lets a caller say."""
    parameters = (resolved(parameter) for parameter in operation.get("parameters", []))
    names = {parameter["name"] for parameter in parameters if parameter["in"] in ("path", "query")}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return names | (set() if operation["operationId"] == "import_contacts" else set(properties(body)))


def properties(schema: dict[str, Any]) -> dict[str, Any]:
    schema = resolved(schema)
    found = dict(schema.get("properties", {}))
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        found |= properties(part)
    return found


def kinds(part: dict[str, Any], definitions: dict[str, Any]) -> frozenset[str]:
    """What values a schema lets through, told so that two ways of writing it are equal."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        if name in SCHEMAS and "properties" not in SCHEMAS[name]:
            return kinds(SCHEMAS[name], definitions)
        return frozenset({f"object {RENAMED.get(name, name)}"})
    alternatives = part.get("anyOf") or part.get("oneOf")
    if alternatives:
        return frozenset().union(*(kinds(one, definitions) for one in alternatives))
    types = part.get("type", "string" if "const" in part or "enum" in part else "any")
    found = set()
    for kind in [types] if isinstance(types, str) else types:
        if kind == "array":
            found.add(f"array of {sorted(kinds(part.get('items', {}), definitions))}")
        elif kind == "string" and part.get("format") == "date-time":
            found.add("time")
        else:
            found.add(kind)
    return frozenset(found)


def answered() -> set[str]:
    """Names of the schemas that answers are made of."""
    found: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).removeprefix("#/components/schemas/")
            if name in SCHEMAS and name not in found:
                found.add(name)
                walk(SCHEMAS[name])
            elif "$ref" in part and name not in SCHEMAS:
                walk(resolved(part))
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    for operation in operations():
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                walk(resolved(response).get("content", {}))
    return {
        name
        for name in found
        if "properties" in SCHEMAS[name] and not name.endswith(("Answer", "List", "Feed", "Meta"))
    }


def test_every_call_of_the_document_is_one_of_the_client_and_none_is_made_up() -> None:
    assert {operation["operationId"] for operation in operations()} - LEFT_OUT == set(CALLS)


@pytest.mark.parametrize("operation", list(operations()), ids=lambda operation: operation["operationId"])
def test_every_parameter_can_be_given(operation: dict[str, Any]) -> None:
    if operation["operationId"] in LEFT_OUT:
        return
    accepted = set().union(*(accepted_names(call) for call in CALLS[operation["operationId"]]))
    assert wanted_names(operation) - BY_ITSELF <= accepted


def test_every_call_of_the_other_shapes_is_one_of_the_client() -> None:
    assert {operation["operationId"] for operation in operations(other=True)} == set(OTHER_CALLS)
    for operation in operations(other=True):
        accepted = set().union(*(accepted_names(call) for call in OTHER_CALLS[operation["operationId"]]))
        parameters = (resolved(parameter) for parameter in operation.get("parameters", []))
        names = {to_snake(parameter["name"]) for parameter in parameters if parameter["in"] in ("path", "query")}
        assert names - {"use_cursor"} <= accepted


@pytest.mark.parametrize("name", OTHER_MODELS)
def test_every_field_of_the_other_shapes_is_in_its_model(name: str) -> None:
    fields = OTHER_MODELS[name].model_json_schema(by_alias=True)["properties"]
    assert set(fields) == set(properties(SCHEMAS[OTHER_RENAMED.get(name, name)]))


def test_parts_of_bodies_have_the_fields_of_the_document() -> None:
    limits = properties(properties(SCHEMAS["AccountChange"])["limits"])
    assert set(LimitChanges.__annotations__) == set(limits)
    assert set(StepGiven.__annotations__) == set(properties(SCHEMAS["StepGiven"]))
    assert set(FollowUpGiven.__annotations__) == set(properties(SCHEMAS["FollowUpGiven"]))
    assert set(QuietHoursGiven.__annotations__) == set(properties(SCHEMAS["QuietHours"]))


@pytest.mark.parametrize("name", sorted(answered()))
def test_every_field_of_every_answer_is_in_its_model_with_the_same_kind(name: str) -> None:
    model = MODELS[RENAMED.get(name, name)].model_json_schema()
    theirs = {field: kinds(part, SCHEMAS) for field, part in properties(SCHEMAS[name]).items()}
    ours = {field: kinds(part, model.get("$defs", {})) for field, part in model["properties"].items()}
    assert ours == theirs


def test_what_callers_need_is_exported() -> None:
    parts_of_envelopes = {"Cursor", "ListMeta", "Pagination"}
    assert set(MODELS) - parts_of_envelopes <= set(relaygram_client.__all__)
