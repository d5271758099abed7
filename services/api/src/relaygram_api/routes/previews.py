"""What a campaign's text looks like for one person."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from relaygram_api.adapters import pg_previews, pg_steps
from relaygram_api.adapters.pg_workspace import Connection
from relaygram_api.answers import answer
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns
from relaygram_api.core.addresses import normal_handle
from relaygram_api.core.contact_file import NAMED_COLUMNS
from relaygram_api.core.messages import Message, NoSuchMessageError, message_at
from relaygram_api.core.preview import MADE_UP, Reader, shown_preview
from relaygram_api.errors import invalid
from relaygram_api.fields import Body, Id, Position
from relaygram_api.parts import Caller, FromParts
from relaygram_api.routes.campaigns import Template, demand
from relaygram_api.schemas.envelopes import One
from relaygram_api.schemas.previews import Preview
from relaygram_api.things import exists
from relaygram_common.templates import template_problem

router = APIRouter(prefix=PREFIX + "/campaigns/{campaign_id:id}", route_class=CheckedRoute, tags=["Campaigns"])
_LONGEST_VALUE = 4096


def _value(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("should be a text or a number")
    if len(text := str(value).strip()) > _LONGEST_VALUE:
        raise ValueError(f"is longer than {_LONGEST_VALUE} characters")
    return text or None


def _handle(value: object) -> str | None:
    return None if value is None else normal_handle(_value(value) or "")


_SHOWN_AS = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]})
Value = Annotated[str | None, BeforeValidator(_value), _SHOWN_AS]
Handle = Annotated[
    str | None, BeforeValidator(_handle), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]})
]


StepAsked = Annotated[Position, Query(description="Which text of its sequence, by position from 0.")]
FollowUpAsked = Annotated[Position | None, Query(description="Which of that step's follow-ups, from 0; else the step.")]


class PreviewContact(BaseModel):
    """A person as an import would bring them; every other name is a free column."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Value]

    first_name: Value = None
    last_name: Value = None
    handle: Handle = None

    def reader(self) -> Reader:
        """For whom it is rendered. What an import takes for an address or a setting is no column of the person."""
        columns = {name: value for name, value in (self.model_extra or {}).items() if name not in NAMED_COLUMNS}
        return Reader(None, self.first_name, self.last_name, self.handle, columns)


class PreviewRequest(Body):
    """For whom; without either the first contact, else a made-up person."""

    sender_id: Id | None = None
    contact: PreviewContact | None = None
    body: Template | None = None


@router.post("/preview", operation_id="preview_campaign", response_model=One[Preview])
@concerns(exists("campaign_id", "campaign_exists", "campaign"))
async def preview_campaign(
    campaign_id: int,
    caller: Annotated[Caller, caller_with("campaigns:write")],
    parts: FromParts,
    body: PreviewRequest | None = None,
    step: StepAsked = 0,
    follow_up: FollowUpAsked = None,
) -> Response:
    """The text as one person would get it, by the rule that sends it; `body` tries a text that is not saved."""
    asked = body or PreviewRequest()
    async with parts.database.workspace(caller.workspace_id) as connection:
        message = await message_asked_for(connection, await demand(connection, campaign_id), step, follow_up)
        if problems := _problems(asked, message):
            raise invalid(problems)
        reader = await _reader(connection, campaign_id, asked)
    if asked.body is not None:
        message = replace(message, template=asked.body)
    return answer(shown_preview(message, reader))


async def message_asked_for(
    connection: Connection, campaign: dict[str, Any], step: int, follow_up: int | None
) -> Message:
    """The campaign's text at this place; 422 when there is none."""
    steps = await pg_steps.of_campaign(connection, campaign["id"])
    try:
        return message_at(campaign, steps, step, follow_up)
    except NoSuchMessageError as error:
        raise invalid({error.field: [error.problem]}) from None


def _problems(asked: PreviewRequest, message: Message) -> dict[str, Any]:
    problems: dict[str, list[str]] = {}
    if asked.sender_id is not None and asked.contact is not None:
        problems["contact"] = ["can not be given together with sender_id"]
    if asked.body is not None and (problem := template_problem(asked.body, is_caption=message.is_caption)):
        problems["body"] = [problem]
    return problems


async def _reader(connection: Connection, campaign_id: int, asked: PreviewRequest) -> Reader:
    if asked.contact is not None:
        return asked.contact.reader()
    found = await pg_previews.reader(connection, campaign_id, asked.sender_id)
    if found is None and asked.sender_id is not None:
        raise invalid({"sender_id": ["is not a contact of this campaign"]})
    return found or MADE_UP
