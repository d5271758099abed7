"""What a campaign may look like, and what its refused transitions say."""

import re
from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from relaygram_api.core.message_texts import message_problem
from relaygram_api.core.sequence import Step, text_problems

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_ONLY_IN_DRAFT = ("mode", "telegram_account_id")
_ACTIONS = {"start": ("started", "running"), "pause": ("paused", "paused"), "stop": ("stopped", "stopped")}

Problems = dict[str, list[str]]


def campaign_problems(
    campaign: Mapping[str, Any],
    given: Set[str],
    *,
    time_zones: Set[str],
    now: datetime,
    columns: Collection[str] | None,
    old_scheduled_at: datetime | None = None,
) -> Problems:
    """What is wrong with a campaign as it would be saved.

    `given` are the fields the caller sent, `columns` those that its text may ask for (None: any).
    """
    problems: Problems = {}

    def wrong(field: str, problem: str) -> None:
        problems.setdefault(field, []).append(problem)

    is_caption = bool(campaign["attachments"])
    if given & {"body", "attachments"} and (
        problem := message_problem(str(campaign["body"]), columns, is_caption=is_caption)
    ):
        wrong("body", problem)
    keyword = campaign["trigger_keyword"]
    if campaign["mode"] == "auto_reply" and keyword is None:
        wrong("trigger_keyword", "is required when mode is auto_reply")
    if campaign["mode"] == "broadcast" and keyword is not None:
        wrong("trigger_keyword", "is for mode auto_reply only")
    scheduled_at = campaign["scheduled_at"]
    if scheduled_at is not None and scheduled_at != old_scheduled_at and scheduled_at <= now:
        wrong("scheduled_at", "must be in the future")
    if campaign["time_zone"] is not None and campaign["time_zone"] not in time_zones:
        wrong("time_zone", "is not an IANA time zone, such as Europe/Berlin")
    if campaign["quiet_hours"] is not None:
        for part in ("start", "end"):
            if not _TIME.fullmatch(campaign["quiet_hours"][part]):
                wrong(f"quiet_hours.{part}", "should be a time of day from 00:00 to 23:59")
        if not problems and campaign["quiet_hours"]["start"] == campaign["quiet_hours"]["end"]:
            wrong("quiet_hours", "begins and ends at the same time")
    return problems


def update_conflict(status: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """Why a campaign in this status can not be changed so; None when it can."""
    if status in ("completed", "stopped"):
        return f"A campaign that is {status} can not be changed."
    moved = [field for field in _ONLY_IN_DRAFT if old[field] != new[field]]
    if status != "draft" and moved:
        return f"{' and '.join(moved)} can be changed in draft only; the campaign is {status}."
    return None


def unknown_token_problems(campaign: Mapping[str, Any], steps: Sequence[Step]) -> Problems:
    """Which texts of a draft that is to start ask for columns that its contacts do not have, by field."""
    columns: list[str] = campaign["contact_columns"]
    if steps:
        return text_problems(steps, columns)
    problem = message_problem(campaign["body"], columns, is_caption=bool(campaign["attachments"]))
    return {"body": [problem]} if problem else {}


def refusal(action: str, status: str) -> str:
    """What a transition that the state forbids is answered with: from what to what."""
    done, target = _ACTIONS[action]
    return f"This campaign can not be {done}: none goes from {status} to {target}."
