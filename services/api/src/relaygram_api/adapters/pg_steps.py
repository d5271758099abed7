"""The steps of campaigns."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.sequence import FollowUp, Replaced, Step, shown_follow_ups


async def of_campaign(connection: Connection, campaign_id: int) -> list[Step]:
    """Its steps in their order; none when it sends its body."""
    return [_step(row) for row in await connection.fetch(sql["list_steps"], campaign_id)]


async def replace_all(connection: Connection, workspace_id: int, campaign_id: int, change: Replaced) -> list[Step]:
    """Make the list what it is to be, touching no step that stays as it was; the new list."""
    if change.removed:
        await connection.execute(sql["delete_steps"], change.removed)
    for step in change.changed:
        await connection.execute(sql["update_step"], step.step_id, *_values(step))
    numbered: dict[int, Step] = {}
    for step in change.added:
        row = await connection.fetchrow(sql["insert_step"], workspace_id, campaign_id, step.identity, *_values(step))
        numbered[step.position] = replace(step, step_id=row["step_id"], identity=row["identity"])
    return [numbered.get(step.position, step) for step in change.steps]


async def changed(connection: Connection, campaign_id: int, asks_for: Collection[str]) -> None:
    """The campaign's new version, and the doorbell."""
    await connection.execute(sql["steps_changed"], campaign_id, list(asks_for))


def _step(row: Any) -> Step:
    return Step(
        step_id=row["step_id"],
        identity=row["identity"],
        position=row["position"],
        body=row["body"],
        delay_seconds=row["delay_seconds"],
        attachments=tuple(row["attachments"]),
        followups=tuple(FollowUp(one["after_hours"], one["body"]) for one in row["followups"]),
    )


def _values(step: Step) -> Sequence[Any]:
    return step.position, step.body, step.delay_seconds, list(step.attachments), shown_follow_ups(step)
