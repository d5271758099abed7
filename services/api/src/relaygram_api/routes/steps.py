"""The steps of a campaign: its messages in order, with follow-ups for those who do not reply."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from relaygram_api.adapters import pg_media, pg_steps
from relaygram_api.answers import answer
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns
from relaygram_api.core.campaign_rules import update_conflict
from relaygram_api.core.message_texts import asked_columns, known_columns
from relaygram_api.core.messages import sent_texts
from relaygram_api.core.sequence import (
    LONGEST_DELAY_SECONDS,
    LONGEST_WINDOW_HOURS,
    MOST_FOLLOW_UPS,
    MOST_STEPS,
    FollowUp,
    Step,
    in_order,
    replaced,
    sequence_problems,
    shown_step,
)
from relaygram_api.errors import conflict, invalid
from relaygram_api.fields import Body, Id
from relaygram_api.parts import Caller, FromParts
from relaygram_api.preconditions import ETAG, Expected, Known, tagged
from relaygram_api.routes.campaigns import MAY_CONFLICT, Attachments, Template, demand, lock_as_expected
from relaygram_api.schemas.steps import StepList
from relaygram_api.things import exists

router = APIRouter(prefix=PREFIX + "/campaigns/{campaign_id:id}/steps", route_class=CheckedRoute, tags=["Campaigns"])
_about_a_campaign = exists("campaign_id", "campaign_exists", "campaign")
_POSITION_PROBLEM = "should be given for all steps, as 0, 1, 2 and so on, or for none"


class FollowUpGiven(Body):
    """A further text for those who have not replied."""

    after_hours: Annotated[
        float,
        Field(
            strict=True,
            ge=0,
            le=LONGEST_WINDOW_HOURS,
            allow_inf_nan=False,
            description="So long after the step was sent, unless the person has replied by then; fractions allowed.",
        ),
    ]
    body: Template


class StepGiven(Body):
    """A step as it is to be. It is who it was by `step_id`, else by its position."""

    step_id: Id | None = Field(default=None, description="Of a step that is there; null: the one at this position.")
    position: Annotated[int, Field(strict=True, ge=0, lt=MOST_STEPS)] | None = Field(
        default=None, description="Its place, from 0; null for all: their order in the list."
    )
    body: Template
    delay_seconds: Annotated[
        int,
        Field(
            strict=True,
            ge=0,
            le=LONGEST_DELAY_SECONDS,
            description="So long after the step before it was really sent; 0 for the first.",
        ),
    ] = 0
    attachments: Attachments = Field(default_factory=list)
    followups: list[FollowUpGiven] = Field(
        default_factory=list, max_length=MOST_FOLLOW_UPS, description="In the order they are sent."
    )


class StepsChange(Body):
    """All steps: what is not among them goes."""

    steps: Annotated[list[StepGiven], Field(max_length=MOST_STEPS, description="None: the campaign sends its body.")]

    def in_order(self) -> list[Step]:
        """By position. Raises a 422."""
        order = in_order([step.position for step in self.steps])
        if order is None:
            first = next((n for n, step in enumerate(self.steps) if step.position != n), 0)
            raise invalid({f"steps.{first}.position": [_POSITION_PROBLEM]})
        return [_as_step(self.steps[given], position) for position, given in enumerate(order)]


@router.get(
    "",
    operation_id="get_steps",
    response_model=StepList,
    responses={200: ETAG, 304: {"description": "It would be the answer whose `ETag` is in `If-None-Match`.", **ETAG}},
)
async def get_steps(
    campaign_id: int,
    caller: Annotated[Caller, caller_with("campaigns:read")],
    parts: FromParts,
    known: Known,
) -> Response:
    """The steps in their order. The `ETag` is of the campaign's version."""
    async with parts.database.workspace(caller.workspace_id) as connection:
        campaign = await demand(connection, campaign_id)
        steps = await pg_steps.of_campaign(connection, campaign_id)
    return known.answer(tagged(answer([shown_step(step) for step in steps]), campaign["version"]))


@router.put("", operation_id="replace_steps", response_model=StepList, responses=MAY_CONFLICT)
@concerns(_about_a_campaign)
async def replace_steps(
    campaign_id: int,
    body: StepsChange,
    caller: Annotated[Caller, caller_with("campaigns:write")],
    parts: FromParts,
    expected: Expected,
) -> Response:
    """Put a list in place of the steps, also while the campaign runs: what is not sent yet is sent as it is now.

    A step keeps its identity by `step_id`, else by position, so that nobody gets it twice. With steps the campaign's
    `body` is not sent; the first step stands in its place.
    """
    async with changing(parts, caller) as change:
        connection = change.connection
        campaign = await lock_as_expected(connection, campaign_id, expected)
        given, old = body.in_order(), await pg_steps.of_campaign(connection, campaign_id)
        wanted = {one for step in given for one in step.attachments}
        media = await pg_media.existing(connection, wanted)
        problems = sequence_problems(old, given, known=known_columns(campaign), media=media)
        if given and campaign["mode"] != "broadcast":
            problems["steps"] = ["are for mode broadcast only"]
        if problems:
            raise invalid(problems)
        if problem := update_conflict(campaign["status"], campaign, campaign):
            raise conflict("not_changeable", problem)
        steps, version = old, campaign["version"]
        if not (difference := replaced(old, given)).is_same:
            steps = await pg_steps.replace_all(connection, caller.workspace_id, campaign_id, difference)
            await pg_steps.changed(connection, campaign_id, asked_columns(sent_texts(campaign, steps)))
            version += 1
        return tagged(change.answer([shown_step(step) for step in steps]), version)


def _as_step(given: StepGiven, position: int) -> Step:
    return Step(
        step_id=given.step_id,
        position=position,
        body=given.body,
        delay_seconds=given.delay_seconds,
        attachments=tuple(given.attachments),
        followups=tuple(FollowUp(one.after_hours, one.body) for one in given.followups),
    )
