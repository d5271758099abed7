"""The state tables stand in contracts/states.py and in SQL: they must be the same, and every pair is walked."""

import itertools
from collections.abc import AsyncIterator
from typing import Any, get_args

import asyncpg
import pytest

from relaygram_common.contracts.states import (
    CAMPAIGN_TRANSITIONS,
    RANKS,
    AccountStatus,
    CampaignAction,
    CampaignStatus,
    MessageState,
    log_status,
)
from tests.common.rows import make_account, make_campaign, make_workspace
from tests.support.servers import Database

_CAMPAIGN = sorted(itertools.product(get_args(CampaignStatus), get_args(CampaignAction)))
_ACCOUNT = sorted(itertools.product(get_args(AccountStatus), repeat=2))


@pytest.fixture(scope="module")
async def owner(database: Database) -> AsyncIterator[Any]:
    """As superuser, who plays everybody."""
    connection = await asyncpg.connect(database.dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def workspace(owner: Any) -> int:
    """One for the module."""
    return await make_workspace(owner)


async def test_both_campaign_tables_are_the_same(owner: Any) -> None:
    rows = await owner.fetch("select status, action, next_status from control.campaign_transitions")
    assert {(row["status"], row["action"]): row["next_status"] for row in rows} == CAMPAIGN_TRANSITIONS
    assert {status for status, _ in CAMPAIGN_TRANSITIONS} | {*CAMPAIGN_TRANSITIONS.values()} == {
        *get_args(CampaignStatus)
    }
    assert {action for _, action in CAMPAIGN_TRANSITIONS} == {*get_args(CampaignAction)}


@pytest.mark.parametrize(("status", "action"), _CAMPAIGN)
async def test_every_campaign_action_in_every_status(owner: Any, workspace: int, status: str, action: str) -> None:
    # `account_up` only wakes what `account_down` put to sleep.
    reason = "account_down" if action == "account_up" else "user"
    campaign, _ = await make_campaign(owner, workspace, status=status, reason=reason)
    before = await owner.fetchrow("select * from control.campaigns where id = $1", campaign)
    moved = await owner.fetchrow("select * from control.transition($1, $2, $3, 'test')", workspace, campaign, action)
    after = await owner.fetchrow("select * from control.campaigns where id = $1", campaign)
    expected = CAMPAIGN_TRANSITIONS.get((status, action))
    if expected is None:
        assert moved["outcome"] == "refused"
    else:
        assert moved["outcome"] == ("unchanged" if expected == status else "changed")
    assert after["status"] == moved["status"] == (expected or status)
    assert after["version"] == moved["version"] == before["version"] + (moved["outcome"] == "changed")
    if after["status"] == before["status"]:
        assert after == before


@pytest.mark.parametrize(
    ("reason", "action", "outcome", "then"),
    [
        ("user", "account_up", "refused", "user"),
        ("content_error", "account_up", "refused", "content_error"),
        ("account_down", "pause", "changed", "user"),
        ("content_error", "pause", "changed", "user"),
        ("user", "pause", "unchanged", "user"),
    ],
)
async def test_a_users_pause_overrides_any_reason_and_only_account_down_ends_by_itself(
    owner: Any, workspace: int, reason: str, action: str, outcome: str, then: str
) -> None:
    campaign, _ = await make_campaign(owner, workspace, status="paused", reason=reason)
    moved = await owner.fetchrow("select * from control.transition($1, $2, $3, 'test')", workspace, campaign, action)
    kept = await owner.fetchval("select status_reason from control.campaigns where id = $1", campaign)
    assert (moved["outcome"], kept) == (outcome, then)


async def test_a_campaign_of_an_account_that_is_down_starts_paused_and_goes_on_by_itself(
    owner: Any, workspace: int
) -> None:
    account = await make_account(owner, workspace, status="disabled")
    campaign, _ = await make_campaign(owner, workspace, account=account)
    await owner.fetchrow("select * from control.transition($1, $2, 'start', 'test')", workspace, campaign)
    query = "select status, status_reason from control.campaigns where id = $1"
    assert tuple(await owner.fetchrow(query, campaign)) == ("paused", "account_down")
    for status, expected in (("active", ("running", None)), ("disabled", ("paused", "account_down"))):
        await owner.fetchrow("select * from control.account_transition($1, $2, $3, null)", workspace, account, status)
        assert tuple(await owner.fetchrow(query, campaign)) == expected


@pytest.mark.parametrize(("status", "action"), [("draft", "start"), ("paused", "start")])
async def test_what_a_start_needs(owner: Any, workspace: int, status: str, action: str) -> None:
    campaign, _ = await make_campaign(owner, workspace, status=status, reason="user")
    move = "select outcome from control.transition($1, $2, $3, 'test')"
    open_import = await owner.fetchval(
        "insert into control.imports (workspace_id, campaign_id, format) values ($1, $2, 'csv') returning id",
        workspace,
        campaign,
    )
    assert await owner.fetchval(move, workspace, campaign, action) == "import_running"
    await owner.execute("update control.imports set status = 'failed', finished_at = now() where id = $1", open_import)
    await owner.execute("update control.campaigns set total_contacts = 0 where id = $1", campaign)
    assert await owner.fetchval(move, workspace, campaign, action) == "no_contacts"
    assert await owner.fetchval(move, workspace + 999, campaign, action) == "not_found"


@pytest.mark.parametrize(("status", "next_status"), _ACCOUNT)
async def test_every_pair_of_account_statuses(owner: Any, workspace: int, status: str, next_status: str) -> None:
    account = await make_account(owner, workspace, status=status)
    allowed = await owner.fetchval(
        "select exists (select from control.account_transitions where status = $1 and next_status = $2)",
        status,
        next_status,
    )
    moved = await owner.fetchrow(
        "select * from control.account_transition($1, $2, $3, null)", workspace, account, next_status
    )
    now = await owner.fetchval("select status from control.telegram_accounts where id = $1", account)
    if status == next_status:
        assert (moved["outcome"], now) == ("unchanged", status)
    else:
        assert (moved["outcome"], now) == (("changed", next_status) if allowed else ("refused", status))


async def test_account_statuses_are_those_of_the_contract(owner: Any) -> None:
    rows = await owner.fetch("select status, next_status from control.account_transitions")
    named = {row["status"] for row in rows} | {row["next_status"] for row in rows}
    assert named == {*get_args(AccountStatus)}
    assert not [row for row in rows if row["status"] == "logged_out"]  # a new log-in makes a new account


async def test_the_three_words_of_the_log_are_the_same_in_sql(owner: Any) -> None:
    transaction = owner.transaction()
    await transaction.start()
    for rank in range(8):
        status = await owner.fetchval(
            "insert into delivery.messages (campaign_id, job_id, id, position, revision, created_at, workspace_id,"
            " channel, state, rank, attempt, queued_at)"
            " values (9, gen_random_uuid(), $1, $1, $1, now(), 1, 'x', 's', $2, 0, now())"
            " returning status",
            rank + 1,
            rank,
        )
        assert status == log_status(rank)
    await transaction.rollback()
    assert {state for state in MessageState if state not in RANKS} == {MessageState.DEFERRED}
