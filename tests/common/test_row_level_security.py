"""The second lock: whatever a query forgets, a role sees the rows of one workspace, or none."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from relaygram_common.database.pool import EVERY_WORKSPACE, create_pool
from tests.common.rows import make_campaign, make_workspace
from tests.support.servers import Database

_ROLES = ("relaygram_api", "relaygram_dispatcher", "relaygram_gateway", "relaygram_log_writer")
# Shared by all on purpose: who is who, the state tables, what is to be relayed, which gateways live, the log's one
# sequence.
_OPEN_TO_ALL = {
    "control.workspaces",
    "control.campaign_transitions",
    "control.account_transitions",
    "control.outbox",
    "telegram.gateways",
    "delivery.sequence",
}
_TABLES = """
select n.nspname || '.' || c.relname as name, c.relrowsecurity as protected,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'workspace_id') as has_workspace
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and n.nspname in ('control', 'dispatch', 'telegram', 'delivery')"""


@pytest.fixture(scope="module")
async def two(database: Database) -> AsyncIterator[tuple[int, int]]:
    """Two workspaces with a row each in every table that has a workspace."""
    owner = await asyncpg.connect(database.dsn)
    workspaces = (await make_workspace(owner), await make_workspace(owner))
    for workspace in workspaces:
        campaign, account = await make_campaign(owner, workspace)
        await owner.execute(_ROWS.format(workspace=workspace, campaign=campaign, account=account))
    yield workspaces
    await owner.close()


_ROWS = """
insert into control.users (workspace_id, email, name, password_hash) values ({workspace}, 'u{workspace}@x', 'u', 'h');
insert into control.api_tokens (workspace_id, user_id, name, secret_hash, abilities)
    select {workspace}, id, 't', 's', '{{}}' from control.users where workspace_id = {workspace};
insert into control.login_secrets (account_id, kind, workspace_id, sealed) values ({account}, 'code', {workspace}, 's');
insert into control.account_connections (account_id, workspace_id) values ({account}, {workspace});
insert into control.single_sends (workspace_id, campaign_id, account_id, job_id, handle)
    values ({workspace}, {campaign}, {account}, gen_random_uuid(), 'ann');
insert into control.contacts (workspace_id, campaign_id, handle) values ({workspace}, {campaign}, 'ann');
insert into control.former_contacts (campaign_id, contact_id, workspace_id) values ({campaign}, 1, {workspace});
insert into control.erasures (workspace_id, person_hashes, addresses_sealed) values ({workspace}, '{{}}', 's');
insert into control.taken_events (workspace_id, event_id) values ({workspace}, gen_random_uuid());
insert into control.imports (workspace_id, campaign_id, format) values ({workspace}, {campaign}, 'csv');
insert into control.import_chunks (import_id, chunk, workspace_id, data)
    select id, 0, {workspace}, 'x' from control.imports where workspace_id = {workspace};
insert into control.import_errors (import_id, line, "column", workspace_id, reason)
    select id, 1, 'handle', {workspace}, 'r' from control.imports where workspace_id = {workspace};
insert into control.suppressions (workspace_id, handle, reason) values ({workspace}, 'ann', 'r');
insert into dispatch.runs (campaign_id, workspace_id, account_id) values ({campaign}, {workspace}, {account});
insert into telegram.fences (account_id, workspace_id, term, owner) values ({account}, {workspace}, 1, 'g');
insert into telegram.sessions (account_id, workspace_id, sealed) values ({account}, {workspace}, 's');
insert into telegram.logins (account_id, workspace_id, session_sealed) values ({account}, {workspace}, 's');
insert into telegram.update_states (account_id, workspace_id, pts, qts, date, seq)
    values ({account}, {workspace}, 1, 1, now(), 1);
insert into telegram.peers (account_id, telegram_user_id, workspace_id, access_hash)
    values ({account}, 1, {workspace}, 1);
insert into telegram.sends (job_id, workspace_id, campaign_id, account_id, contact_id, step, state, attempt, term,
    first_at, last_at)
    values (gen_random_uuid(), {workspace}, {campaign}, {account}, 1, 0, 'sending', 1, 1, now(), now());
insert into telegram.usage (account_id, minute, workspace_id, sends) values ({account}, now(), {workspace}, 1);
insert into telegram.blocks (account_id, method, workspace_id, blocked_until, code)
    values ({account}, 'm', {workspace}, now(), 'c');
insert into control.steps (workspace_id, campaign_id, identity, position, body)
    values ({workspace}, {campaign}, 0, 0, 'b');
insert into control.media (workspace_id, kind, mime_type, size_bytes, sha256)
    values ({workspace}, 'photo', 'image/png', 1, 's');
insert into control.media_chunks (media_id, chunk, workspace_id, data)
    select id, 0, {workspace}, 'x' from control.media where workspace_id = {workspace};
insert into telegram.media (account_id, media_id, workspace_id, telegram_id, access_hash, file_reference)
    values ({account}, 1, {workspace}, 1, 1, 'r');
insert into telegram.last_inbound (account_id, telegram_user_id, workspace_id, message_id, date)
    values ({account}, 1, {workspace}, 1, now());
insert into telegram.waits (account_id, workspace_id, waiting_for) values ({account}, {workspace}, 'flood_wait');
insert into dispatch.due (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, due_at)
    values (gen_random_uuid(), {workspace}, {campaign}, {account}, 1, 'sequence', now());
insert into dispatch.enrollments (campaign_id, contact_id, workspace_id) values ({campaign}, 1, {workspace});
insert into dispatch.inbound (account_id, message_id, workspace_id, from_id, decision)
    values ({account}, 1, {workspace}, 1, 'nothing');
insert into delivery.receipts (account_id, chat_id, kind, message_id, workspace_id, occurred_at)
    values ({account}, 1, 'read', 1, {workspace}, now());
insert into dispatch.answers (campaign_id, telegram_user_id, workspace_id, answered_at)
    values ({campaign}, 1, {workspace}, now());
insert into control.idempotency_keys (workspace_id, user_id, key, route_hash, claim, claimed_until)
    select {workspace}, id, 'k', 'r', gen_random_uuid(), now() from control.users where workspace_id = {workspace};
insert into control.audit_log (workspace_id, actor, action, kind, thing_id)
    values ({workspace}, 'user:1', 'created', 'campaign', 1);
insert into control.erasures (workspace_id, person_hashes, addresses_sealed) values ({workspace}, '{{}}', 's');
insert into control.single_sends (workspace_id, campaign_id, account_id, job_id, handle)
    values ({workspace}, {campaign}, {account}, gen_random_uuid(), 'ann');
insert into control.stream_tickets (secret_hash, workspace_id, token_id, campaign_id, expires_at)
    select 'h{workspace}', {workspace}, id, {campaign}, now() from control.api_tokens where workspace_id = {workspace};
insert into delivery.code_counters (campaign_id, code, workspace_id, messages) values ({campaign}, 'c', {workspace}, 1);
insert into delivery.minute_counters (campaign_id, minute, workspace_id, sent)
    values ({campaign}, now(), {workspace}, 1);
insert into delivery.campaign_counters (campaign_id, workspace_id) values ({campaign}, {workspace});
insert into delivery.sends (workspace_id, campaign_id, place, run_id, step, trigger, follow_up, job_id, started_at,
    messages, accepted, first_position, last_position, triggered_by, message)
    values ({workspace}, {campaign}, {campaign}, 1, 0, 'test', -1, gen_random_uuid(), now(), 1, 0, 1, 1, 'test', 'b');
insert into delivery.messages (campaign_id, job_id, id, position, revision, created_at, workspace_id, channel, state,
    rank, attempt, queued_at)
    values ({campaign}, gen_random_uuid(), {workspace}, 1, 1, now(), {workspace}, 'telegram', 'queued', 0, 0, now());
"""


async def _tables(database: Database) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database.dsn)
    rows: list[asyncpg.Record] = await connection.fetch(_TABLES)
    await connection.close()
    return rows


async def _readable(database: Database, role: str) -> list[str]:
    names = [row["name"] for row in await _tables(database) if row["name"] not in _OPEN_TO_ALL]
    connection = await asyncpg.connect(database.dsn)
    may = "select has_table_privilege($1, $2, 'select') and has_schema_privilege($1, split_part($2, '.', 1), 'usage')"
    readable = [name for name in names if await connection.fetchval(may, role, name)]
    await connection.close()
    return readable


async def test_every_table_with_a_workspace_is_protected(database: Database) -> None:
    # Only functions read these, and tell nobody what is in them.
    hidden = set.intersection(
        *[{row["name"] for row in await _tables(database)} - {*await _readable(database, role)} for role in _ROLES]
    )
    for row in await _tables(database):
        assert row["has_workspace"] or row["name"] in _OPEN_TO_ALL | hidden, row["name"]
        assert row["protected"] or row["name"] in _OPEN_TO_ALL | hidden, row["name"]


@pytest.mark.parametrize("role", _ROLES)
async def test_a_role_sees_one_workspace_or_nothing(database: Database, two: tuple[int, int], role: str) -> None:
    mine, _ = two
    connection = await asyncpg.connect(database.dsn_for(role))
    readable = await _readable(database, role)
    assert len(readable) > 1
    for said, expected in (("", []), ("0", []), ("x", []), (str(mine), [mine])):
        await connection.execute("select set_config('relaygram.workspace_id', $1, false)", said)
        for table in readable:
            seen = await connection.fetch(f"select distinct workspace_id from {table}")  # noqa: S608 - names of our own
            assert [row["workspace_id"] for row in seen] == expected, (table, said, "a new table needs a row in _ROWS")
    await connection.close()


@pytest.mark.parametrize("role", _ROLES)
async def test_every_workspace_is_for_workers_only(database: Database, two: tuple[int, int], role: str) -> None:
    pool = await create_pool(database.dsn_for(role), application_name="test", workspace=EVERY_WORKSPACE, max_size=1)
    seen = {row["workspace_id"] for row in await pool.fetch("select workspace_id from control.campaigns")}
    assert seen == (set() if role == "relaygram_api" else {*two})
    await pool.close()


_COLUMNS = """
select string_agg(quote_ident(attname), ', ' order by attnum)
  from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''"""


@pytest.mark.parametrize("role", _ROLES)
async def test_a_role_changes_nothing_of_another_workspace(database: Database, two: tuple[int, int], role: str) -> None:
    mine, other = two
    owner = await asyncpg.connect(database.dsn)
    pool = await create_pool(database.dsn_for(role), application_name="test", workspace=str(mine), max_size=1)
    tables = [row["name"] for row in await _tables(database) if row["has_workspace"]]
    for table in tables:
        if table in _OPEN_TO_ALL:
            continue
        for statement in (
            f"update {table} set workspace_id = workspace_id where workspace_id = {other}",  # noqa: S608
            f"delete from {table} where workspace_id = {other}",  # noqa: S608
        ):
            try:
                assert (await pool.execute(statement)).endswith(" 0"), statement
            except asyncpg.InsufficientPrivilegeError:
                continue
        columns = await owner.fetchval(_COLUMNS, table)
        find = f"select to_jsonb(t) from {table} t where workspace_id = $1 limit 1"  # noqa: S608
        theirs = json.loads(await owner.fetchval(find, other) or "null")
        assert theirs, f"{table} needs a row in _ROWS"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(
                f"insert into {table} ({columns}) overriding system value "  # noqa: S608
                f"select {columns} from jsonb_populate_record(null::{table}, $1)",
                theirs,
            )
    await pool.close()
    await owner.close()


async def test_the_api_writes_into_no_other_workspace(database: Database, two: tuple[int, int]) -> None:
    mine, other = two
    pool = await create_pool(database.api, application_name="test", workspace=str(mine), max_size=1)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(
            "insert into control.suppressions (workspace_id, handle, reason) values ($1, 'b', 'r')", other
        )
    assert (
        await pool.execute("update control.contacts set first_name = 'x' where workspace_id = $1", other) == "UPDATE 0"
    )
    assert await pool.execute("delete from control.suppressions where workspace_id = $1", other) == "DELETE 0"
    await pool.close()


async def test_only_its_functions_move_a_campaign(database: Database, two: tuple[int, int]) -> None:
    for dsn in (database.dispatcher, database.gateway, database.log_writer):
        pool = await create_pool(dsn, application_name="test", workspace=EVERY_WORKSPACE, max_size=1)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute("update control.campaigns set status = 'completed', completed_at = now()")
        await pool.close()
    log_writer = await create_pool(database.log_writer, application_name="test", workspace=EVERY_WORKSPACE, max_size=1)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await log_writer.fetch("select control.transition($1, 1, 'stop', 'x')", two[0])
    await log_writer.close()
