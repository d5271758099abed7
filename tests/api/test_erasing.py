"""Erasing a person: what is known leaves everything, a hash stays, and nothing comes back."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from relaygram_api.adapters import pg_people
from relaygram_api.core.person import Person
from relaygram_common.contracts.ids import job_id
from relaygram_local_stack.servers import NatsServer
from tests.api.gateway_calls import admit, ledger, record, take_term
from tests.api.log_rows import row, write_log
from tests.api.support import Api, running_api
from tests.support.servers import Database
from tests.support.waiting import eventually

COUNTS = ("contacts", "messages", "ledger_entries", "peers", "suppressions", "import_errors")
ZEROS = dict.fromkeys(COUNTS, 0)


async def erase(api: Api, **person: Any) -> dict[str, int]:
    """What was erased."""
    done = await api.data("POST", "/people/erase", json=person)
    return {name: done[name] for name in COUNTS}


async def everything_in(database: Database) -> str:
    """All rows of all tables, as text."""
    connection = await asyncpg.connect(database.dsn)
    try:
        tables = await connection.fetch(
            "select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind = 'r' and n.nspname in ('control', 'dispatch', 'telegram', 'delivery')"
        )
        found = []
        for table in tables:
            found += [r[0] for r in await connection.fetch(f"select t::text from {table['name']} t")]  # noqa: S608
    finally:
        await connection.close()
    return "\n".join(found)


async def sender_ids(api: Api, campaign: int) -> list[int]:
    return [one["id"] for one in await api.data("GET", f"/campaigns/{campaign}/senders")]


async def test_post_people_erase(api: Api, database: Database) -> None:
    """POST /people/erase: names, texts and addresses leave contacts and log, a hash stays for suppression."""
    first, second, third = await api.campaign(), await api.campaign(), await api.campaign()
    head = "handle,telegram_user_id,phone,first_name,city\n"
    await api.import_csv(first["id"], f"{head}zoe_x,,,Zoelina,Paris\nother_one,,,Otto,Rome\n")
    await api.import_csv(second["id"], f"{head}zoe_x,880001,,Zoelina,\n")
    # Known by another address only, which a line of the second campaign ties to the first.
    done = await api.import_csv(third["id"], f"{head},880001,+491518800011,Zoelina,\n@zoe_x,@zoe_x,,Zoelina,\n")
    assert done["rejected"] == 1
    account = first["telegram_account_id"]
    term = await take_term(api, account)
    await api.call("POST", f"/campaigns/{first['id']}/start")
    zoe, otto = await sender_ids(api, first["id"])
    job = job_id("broadcast", first["id"], zoe)
    await admit(api, account, term, first["id"], zoe, "Hello Zoelina")
    await record(api, account, term, job)
    await write_log(
        api,
        [
            row(first["id"], "sent", sender_id=zoe, job_id=job, body="Hello Zoelina", destination="@zoe_x"),
            row(first["id"], "sent", sender_id=otto, body="Hello Otto", destination="@other_one"),
            row(0, "sent", body="A test for Zoelina", destination="880001"),
        ],
    )
    await api.sql(
        "insert into telegram.peers (account_id, workspace_id, access_hash, telegram_user_id, handle)"
        " values ($1, $2, 1, 880001, 'zoe_x')", account, api.workspace_id,
    )  # fmt: skip
    await api.data("POST", "/suppressions", json={"phone": "+491518800011", "reason": "Zoelina asked"})
    before = (await api.call("GET", f"/campaigns/{first['id']}/logs"))["data"]

    answer = await api.data("POST", "/people/erase", json={"handle": "@Zoe_X"})
    assert {name: answer[name] for name in COUNTS} == {
        "contacts": 3, "messages": 2, "ledger_entries": 1, "peers": 1, "suppressions": 1, "import_errors": 1,
    }  # fmt: skip
    assert answer["streams_forget_by"] == (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    rest = await everything_in(database)
    for trace in ("Zoelina", "zoe_x", "880001", "Paris"):
        assert trace not in rest, [line for line in rest.splitlines() if trace in line]

    after = (await api.call("GET", f"/campaigns/{first['id']}/logs"))["data"]
    assert after[1] == before[1]
    assert after[0]["body"] is None
    assert after[0]["revision"] > max(one["revision"] for one in before)
    same = ("id", "status", "sender_id", "job_id", "telegram_message_id", "sent_at", "created_at")
    assert [after[0][name] for name in same] == [before[0][name] for name in same]
    changed = await api.data(
        "GET", f"/campaigns/{first['id']}/logs", params={"changed_since": max(one["revision"] for one in before)}
    )
    assert [one["id"] for one in changed] == [before[0]["id"]]
    assert await ledger(api, first["id"]) == [("accepted", None, None)]
    assert [await sender_ids(api, one["id"]) for one in (first, second, third)] == [[otto], [], []]
    shown = [(await api.data("GET", f"/campaigns/{one['id']}"))["total_contacts"] for one in (first, second, third)]
    assert shown == [2, 0, 0]

    assert await erase(api, handle="zoe_x") == ZEROS
    assert await erase(api, telegram_user_id=880001) == ZEROS
    assert await erase(api, phone="+49 151 8800011") == ZEROS


async def test_what_sequences_and_auto_replies_know_of_a_person_is_erased_too(api: Api, database: Database) -> None:
    """A message of a step that the log does not know yet, and that the person wrote and was answered."""
    campaign = await api.campaign()
    await api.import_csv(campaign["id"], "handle,telegram_user_id\nquentin_q,660042\n")
    (contact,) = await sender_ids(api, campaign["id"])
    account, job = campaign["telegram_account_id"], job_id("sequence", campaign["id"], contact, step=77)
    await api.sql(
        "insert into dispatch.due (job_id, workspace_id, campaign_id, account_id, contact_id, trigger, step_identity,"
        " due_at) values ($1, $2, $3, $4, $5, 'sequence', 77, now())",
        job, api.workspace_id, campaign["id"], account, contact,
    )  # fmt: skip
    await api.sql(
        "insert into telegram.sends (job_id, workspace_id, campaign_id, account_id, contact_id, step, state, attempt,"
        " term, body, telegram_user_id, first_at, last_at, decided_at)"
        " values ($1, $2, $3, $4, $5, 1, 'accepted', 1, 1, 'Dear Quentin', 660042, now(), now(), now())",
        job, api.workspace_id, campaign["id"], account, contact,
    )  # fmt: skip
    await api.sql(
        "insert into telegram.last_inbound (account_id, telegram_user_id, workspace_id, message_id, date)"
        " values ($1, 660042, $2, 5, now())", account, api.workspace_id,
    )  # fmt: skip
    await api.sql(
        "insert into dispatch.inbound (account_id, message_id, workspace_id, from_id, decision)"
        " values ($1, 5, $2, 660042, 'nothing')", account, api.workspace_id,
    )  # fmt: skip
    await api.sql(
        "insert into dispatch.answers (campaign_id, telegram_user_id, workspace_id, answered_at)"
        " values ($1, 660042, $2, now())", campaign["id"], api.workspace_id,
    )  # fmt: skip
    done = await erase(api, handle="quentin_q")
    assert (done["contacts"], done["ledger_entries"]) == (1, 1)
    rest = await everything_in(database)
    for trace in ("Quentin", "quentin", "660042"):
        assert trace not in rest, [line for line in rest.splitlines() if trace in line]
    assert await api.sql("select decision from dispatch.inbound where account_id = $1 and message_id = 5", account)
    assert await erase(api, telegram_user_id=660042) == ZEROS


async def test_who_was_erased_stays_away(api: Api) -> None:
    campaign = await api.campaign()
    await api.import_csv(campaign["id"], "handle,telegram_user_id\nyves_x,770001\n")
    await erase(api, handle="yves_x")
    done = await api.import_csv(
        campaign["id"],
        "handle,telegram_user_id,first_name\nnew_one,,N\nyves_x,,Yves\n,770001,Yves\nyves_x,770001,Yves\n",
    )
    assert [done[name] for name in ("received", "accepted", "duplicates", "rejected")] == [4, 1, 0, 3]
    errors = await api.data("GET", f"/imports/{done['id']}/errors")
    assert [(one["line"], one["column"], one["value"]) for one in errors] == [
        (3, "handle", None), (4, "telegram_user_id", None), (5, "handle", None), (5, "telegram_user_id", None),
    ]  # fmt: skip
    assert all("erased" in one["reason"] for one in errors)
    added = await api.data("POST", "/suppressions", json={"handle": "yves_x", "reason": "again"})
    assert (added["added"], added["already_listed"]) == (0, 1)
    rows = await api.data("GET", "/suppressions", params={"per_page": 100})
    assert {(one["handle"], one["telegram_user_id"], one["phone"]) for one in rows if one["erased"]} == {(None,) * 3}
    # Only an admin may let the person come back.
    erased = [one["id"] for one in rows if one["erased"]]
    async with api.bearing(await api.token_with("campaigns:write")) as writer:
        assert (await writer.delete(f"/api/v1/suppressions/{erased[0]}")).status_code == 403
    for line in erased:
        await api.call("DELETE", f"/suppressions/{line}", status=204)
    done = await api.import_csv(campaign["id"], "handle\nyves_x\n")
    assert done["accepted"] == 1


async def test_a_phone_alone_is_erased_and_known_again(api: Api, database: Database) -> None:
    campaign = await api.campaign()
    await api.import_csv(campaign["id"], "phone,first_name\n+4915166660001,Xaver\n")
    assert (await erase(api, phone="0049 (151) 6666-0001"))["contacts"] == 1
    assert "Xaver" not in await everything_in(database)
    done = await api.import_csv(campaign["id"], "phone\n+49 151 66660001\n")
    assert (done["accepted"], done["rejected"]) == (0, 1)


async def test_nothing_comes_back_by_events_that_are_late(api: Api, database: Database) -> None:
    campaign = await api.broadcast(1)
    one, account = campaign["id"], campaign["telegram_account_id"]
    await api.import_csv(one, "handle\nwanda_x\n")
    await api.call("POST", f"/campaigns/{one}/start")
    _, wanda = await sender_ids(api, one)
    term, job = await take_term(api, account), job_id("broadcast", one, wanda)
    admitted = await admit(api, account, term, one, wanda, "Hello Wanda")
    assert admitted["decision"] == "send"
    assert (await erase(api, handle="wanda_x"))["ledger_entries"] == 1
    # On the wire: its text is needed until its outcome is known.
    assert await ledger(api, one) == [("sending", "Hello Wanda", 4711)]
    await record(api, account, term, job)
    assert await ledger(api, one) == [("accepted", None, None)]
    for state in ("queued", "sent"):
        late = row(one, state, sender_id=wanda, job_id=job, body="Hello Wanda", destination="@wanda_x")
        await write_log(api, [late])
    (logged,) = await api.data("GET", f"/campaigns/{one}/logs")
    assert (logged["status"], logged["body"]) == ("sent", None)
    assert "anda" not in await everything_in(database)


@pytest.mark.parametrize("address", [{"handle": "sara_x"}, {"phone": "+4915177770001"}])
async def test_test_sends_are_erased_with_their_rows_in_the_log(
    api: Api, database: Database, address: dict[str, str]
) -> None:
    campaign = (await api.campaign())["id"]
    path = f"/campaigns/{campaign}/test"
    test = await api.data("POST", path, status=202, json={**address, "first_name": "Sara"})
    row_id = await api.sql("select id from control.single_sends where job_id = $1", test["job_id"])
    # A phone is in no event, so the row in the log has no destination.
    sent = row(0, "sent", job_id=UUID(test["job_id"]), sender_id=row_id, body="Hello Sara")
    await write_log(api, [sent])
    await api.sql("delete from control.outbox")  # relayed
    assert await erase(api, **address) == {**ZEROS, "messages": 1}
    await write_log(api, [sent])
    rest = await everything_in(database)
    assert "Sara" not in rest
    assert "sara" not in rest
    assert await erase(api, **address) == ZEROS


async def test_who_was_taken_out_before_is_erased_too(api: Api, database: Database) -> None:
    campaign = (await api.broadcast(1))["id"]
    await api.import_csv(campaign, "handle\nvera_x\n")
    _, vera = await sender_ids(api, campaign)
    await write_log(api, [row(campaign, "sent", sender_id=vera, body="Hello Vera", destination="@vera_x")])
    await api.call("DELETE", f"/campaigns/{campaign}/contacts/{vera}", status=204)
    assert "Vera" in await everything_in(database)
    assert await erase(api, handle="vera_x") == {**ZEROS, "messages": 1}
    rest = await everything_in(database)
    assert "Vera" not in rest
    assert "vera" not in rest


async def test_an_erasure_that_was_broken_off_is_finished_by_the_next(api: Api, database: Database) -> None:
    first, second = await api.campaign(), await api.campaign()
    await api.import_csv(first["id"], "handle,telegram_user_id\nulla_x,660001\n")
    await api.import_csv(second["id"], "telegram_user_id,first_name\n660001,Ulla\n")
    # As far as the line that ties both addresses together, and no further.
    person, sealer, erased = Person(handles={"ulla_x"}), api.parts.sealer, pg_people.Erased()
    async with api.parts.database.workspace(api.workspace_id) as connection:
        await pg_people.begin(connection, sealer, api.workspace_id, person)
    async with api.parts.database.workspace(api.workspace_id) as connection:
        assert await pg_people.erase_some(connection, sealer, api.workspace_id, person, erased, limit=1)
    assert await sender_ids(api, first["id"]) == []
    assert len(await sender_ids(api, second["id"])) == 1
    assert (await erase(api, handle="ulla_x"))["contacts"] == 1
    assert await sender_ids(api, second["id"]) == []
    assert "lla" not in await everything_in(database)
    assert await api.sql("select count(*) from control.erasures") == 0


async def test_a_person_of_many_campaigns_is_erased_in_batches_by_several_at_once(api: Api) -> None:
    account = await api.account()
    made = await api.sql(
        "with c as (insert into control.campaigns (workspace_id, name, mode, body, telegram_account_id, total_contacts)"
        " select $1, 'c', 'broadcast', 'b', $2, 1 from generate_series(1, 1000) returning id),"
        " p as (insert into control.contacts (workspace_id, campaign_id, handle, first_name)"
        " select $1, id, 'tom_x', 'Tom' from c returning id) select count(*) from p",
        api.workspace_id,
        account,
    )
    assert made == 1000
    done = await asyncio.gather(*(erase(api, handle="tom_x") for _ in range(4)))
    assert sum(one["contacts"] for one in done) == 1000
    assert await api.sql("select sum(total_contacts) from control.campaigns where name = 'c'") == 0
    assert await erase(api, handle="tom_x") == ZEROS


async def test_another_workspaces_people_stay(api: Api, database: Database, provisioned_nats: NatsServer) -> None:
    campaign = (await api.broadcast(1))["id"]
    await write_log(api, [row(0, "sent", body="To a person", destination="@person_0000")])
    async with running_api(database, provisioned_nats.url, workspace="second", email="second@example.com") as other:
        await other.broadcast(1)
        assert await erase(other, handle="person_0000") == {**ZEROS, "contacts": 1}
    assert len(await sender_ids(api, campaign)) == 1
    assert await api.sql("select count(*) from delivery.messages where body = 'To a person'") == 1


@pytest.mark.parametrize(
    ("body", "wrong"),
    [({}, "body"), ({"handle": None}, "body"), ({"handle": "x"}, "handle"), ({"handle": 5}, "handle"),
     ({"phone": "12"}, "phone"), ({"telegram_user_id": 0}, "telegram_user_id"),
     ({"telegram_user_id": 1.5}, "telegram_user_id"), ({"telegram_user_id": True}, "telegram_user_id"),
     ({"handle": "abcd", "name": "x"}, "name"), ([], "body")],
)  # fmt: skip
async def test_nobody_is_422(api: Api, body: Any, wrong: str) -> None:
    assert list(await api.errors("POST", "/people/erase", json=body)) == [wrong]


async def test_only_admins_erase(api: Api) -> None:
    async with api.bearing(await api.token_with("campaigns:write", "senders:read", "logs:read")) as writer:
        refused = await writer.post("/api/v1/people/erase", json={"handle": "abcd"})
    assert refused.status_code == 403


async def test_who_is_erased_while_an_import_runs_is_not_brought_back(api: Api, database: Database) -> None:
    campaign = (await api.campaign())["id"]
    # Somebody else adds a person of the file at this moment: the import waits for them, in the middle of its work.
    blocker = await asyncpg.connect(database.dsn)
    try:
        other = blocker.transaction()
        await other.start()
        await blocker.execute(
            "insert into control.contacts (workspace_id, campaign_id, handle) values ($1, $2, 'blocked_x')",
            api.workspace_id,
            campaign,
        )
        started = await api.data(
            "POST",
            f"/campaigns/{campaign}/contacts",
            status=202,
            content=b"handle,first_name\nuna_x,Una\nuta_x,Uta\nblocked_x,B\n",
            headers={"Content-Type": "text/csv"},
        )

        async def is_waiting() -> bool:
            waiting: int = await api.sql(
                "select count(*) from pg_locks where not granted and locktype = 'transactionid'"
            )
            return waiting > 0

        await eventually(is_waiting, 20)
        assert await erase(api, handle="una_x") == ZEROS
        await other.rollback()
    finally:
        await blocker.close()
    done = await api.import_ends(started["id"])
    assert [done[name] for name in ("received", "accepted", "duplicates", "rejected")] == [3, 2, 0, 1]
    (error,) = await api.data("GET", f"/imports/{done['id']}/errors")
    assert (error["line"], error["column"], error["value"]) == (2, "handle", None)
    people = await api.data("GET", f"/campaigns/{campaign}/senders")
    assert [one["handle"] for one in people] == ["@uta_x", "@blocked_x"]
    assert (await api.data("GET", f"/campaigns/{campaign}"))["total_contacts"] == 2
    assert "Una" not in await everything_in(database)
