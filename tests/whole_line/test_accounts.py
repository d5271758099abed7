"""Accounts and test sends through `relaygram up`: limits at once, logging out, and no secret anywhere in clear."""

import asyncio
import base64
import json
import re
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import nats
import pytest
import pytest_asyncio

from tests.support.broadcast import Audience, gather_audience
from tests.support.proxies import Proxy, running_proxy
from tests.support.stack import RunningStack
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(120)
_PHONE, _PASSWORD = "+4915688001234", "correct-horse-battery"
_BOT_TOKEN = "778899001:AAF" + "q7Zk2" * 7
_API_HASH = "5f2d9c0b7e1a4836b1d0c9e8f7a6b5c4"
_PROXY_PASSWORD = "let-me-through-please"
_WRONG_CODE, _WRONG_PASSWORD = "90817263544", "wrong-horse-battery"


async def _reaches(stack: RunningStack, account_id: int, status: str) -> Any:
    return await stack.api.await_status(f"/telegram-accounts/{account_id}", {status}, bad={"disabled"}, seconds=30)


async def _told(stack: RunningStack, account_id: int, word: str) -> None:
    async def told() -> bool:
        found = await stack.api.call("GET", f"/telegram-accounts/{account_id}")
        return word in (found["status_reason"] or "")

    await eventually(told)


async def _log_in(stack: RunningStack, proxy: Proxy) -> tuple[int, str]:
    """Every step, each first with a wrong answer; the account and the code."""
    (
        await stack.sandbox.post("/users", json={"phone": _PHONE, "password": _PASSWORD, "first_name": "Gus"})
    ).raise_for_status()
    made = await stack.api.call(
        "POST",
        "/telegram-accounts",
        json={
            "kind": "user",
            "phone": _PHONE,
            "api_id": 94575,
            "api_hash": _API_HASH,
            "proxy": proxy.url("socks5"),
            "name": "Guarded",
        },
    )
    account: int = made["id"]
    path = f"/telegram-accounts/{account}"
    await _reaches(stack, account, "code_required")
    await _code(stack)
    await stack.api.call("POST", f"{path}/code", json={"code": _WRONG_CODE})
    await _told(stack, account, "code is wrong")
    await stack.api.call("POST", f"{path}/resend-code")
    await _reaches(stack, account, "code_required")
    code = await _code(stack)
    await stack.api.call("POST", f"{path}/code", json={"code": code})
    await _reaches(stack, account, "password_required")
    await stack.api.call("POST", f"{path}/password", json={"password": _WRONG_PASSWORD})
    await _told(stack, account, "password is wrong")
    await stack.api.call("POST", f"{path}/password", json={"password": _PASSWORD})
    await _reaches(stack, account, "active")
    return account, code


async def _code(stack: RunningStack) -> str:
    code: str = (await stack.sandbox.get(f"/login-codes/{_PHONE}")).json()["code"]
    return code


def _forms(secrets: dict[str, str]) -> list[tuple[str, "re.Pattern[bytes]"]]:
    """Each secret as it is, in hexadecimal and in base64; a code as a number of its own."""
    found = []
    for name, secret in secrets.items():
        raw = secret.encode()
        if secret.isdigit() and len(secret) < 7:
            found.append((name, re.compile(rb"(?<![0-9a-zA-Z.])" + raw + rb"(?![0-9a-zA-Z])")))
            continue
        ways = (raw, raw.hex().encode(), base64.b64encode(raw)[: len(raw) * 4 // 3 - 2])
        found.append((name, re.compile(b"|".join(re.escape(way) for way in ways))))
    return found


def _demand_none(where: str, data: bytes, secrets: dict[str, str]) -> None:
    for name, form in _forms(secrets):
        hit = form.search(data)
        assert hit is None, f"{name} in {where}: {data[max(0, hit.start() - 80) : hit.end() + 40]!r}"


async def _search_tables(stack: RunningStack, secrets: dict[str, str]) -> None:
    connection = await asyncpg.connect(stack.info["postgres_dsn"])
    try:
        names = await connection.fetch(
            "select format('%I.%I', schemaname, tablename) as name from pg_tables"
            " where schemaname in ('control', 'dispatch', 'telegram', 'delivery')"
        )
        assert len(names) > 20
        for table in names:
            rows = await connection.fetch(f"select to_jsonb(t)::text as row from {table['name']} t")  # noqa: S608 - ours
            _demand_none(table["name"], "\n".join(row["row"] for row in rows).encode(), secrets)
    finally:
        await connection.close()


async def _search_streams(stack: RunningStack, secrets: dict[str, str]) -> None:
    client = await nats.connect(stack.info["nats_url"])
    try:
        js = client.jetstream()
        seen = 0
        for stream in await js.streams_info():
            state = stream.state
            for sequence in range(max(1, state.first_seq), state.last_seq + 1):
                try:
                    message = await js.get_msg(stream.config.name or "", sequence)
                except nats.js.errors.NotFoundError:
                    continue  # a lease that was renewed since
                text = f"{message.subject} {json.dumps(dict(message.headers or {}))} ".encode() + (message.data or b"")
                _demand_none(f"{stream.config.name} {message.subject}", text, secrets)
                seen += 1
        assert seen > 10
    finally:
        await client.close()


def _search_files(folder: Path, secrets: dict[str, str]) -> None:
    """What the servers and services wrote to disk, deleted rows and PostgreSQL's journal included."""
    files = [path for path in folder.rglob("*") if path.is_file() and "sandbox" not in path.parts]
    assert any("postgres" in path.parts for path in files)
    assert any("nats" in path.parts for path in files)
    # A code of five digits is found in megabytes of anything: it is looked for in rows, messages and logs.
    longer = {name: secret for name, secret in secrets.items() if len(secret) > 6}
    for path in files:
        _demand_none(str(path.relative_to(folder)), path.read_bytes(), longer)


async def test_the_secrets_of_a_log_in_rest_nowhere_in_clear(stack: RunningStack) -> None:
    person = (await stack.sandbox.post("/users", json={"username": "session_owner", "first_name": "Sam"})).json()
    session = (await stack.sandbox.post(f"/users/{person['id']}/session")).json()["session_string"]
    (
        await stack.sandbox.post(
            "/users", json={"bot_token": _BOT_TOKEN, "username": "guarded_bot", "first_name": "Bo"}
        )
    ).raise_for_status()
    secrets = {
        "phone": _PHONE.removeprefix("+"), "password": _PASSWORD, "wrong password": _WRONG_PASSWORD,
        "wrong code": _WRONG_CODE, "api_hash": _API_HASH, "proxy's password": _PROXY_PASSWORD,
        "bot token": _BOT_TOKEN.partition(":")[2], "session string": session,
    }  # fmt: skip
    async with running_proxy(password=_PROXY_PASSWORD) as proxy:
        account, code = await _log_in(stack, proxy)
        secrets["code"] = code
        await _search_tables(stack, secrets)
        for credential in ({"kind": "bot", "bot_token": _BOT_TOKEN}, {"kind": "user", "session_string": session}):
            made = await stack.api.call("POST", "/telegram-accounts", json=credential)
            await _reaches(stack, made["id"], "active")
        await _search_tables(stack, secrets)
        assert len(proxy.destinations) >= 5
        audit = await stack.client.get("/api/v1/audit", params={"per_page": 100})
        _demand_none("the audit log", audit.content, secrets)
        answer = await stack.client.delete(f"/api/v1/telegram-accounts/{account}")
        assert answer.status_code == 204
        await _forgotten(stack, account)
    await _search_tables(stack, secrets)
    await _search_streams(stack, secrets)
    _demand_none("the logs", stack.log_file.read_bytes(), secrets)
    _search_files(stack.folder / "data", secrets)
    await _searches_find(stack)
    wire = (await stack.sandbox.get("/wire", params={"limit": 10000})).json()
    assert "auth.logOut" in {attempt["method"] for attempt in wire}


async def _searches_find(stack: RunningStack) -> None:
    """What is no secret they do find."""
    name = {"name": "Guarded"}
    with pytest.raises(AssertionError, match=r"name in control\.telegram_accounts"):
        await _search_tables(stack, name)
    with pytest.raises(AssertionError, match="name in postgres"):
        _search_files(stack.folder / "data", name)
    with pytest.raises(AssertionError, match="word in"):
        await _search_streams(stack, {"word": "account_id"})
    with pytest.raises(AssertionError, match="word in the logs"):
        _demand_none("the logs", stack.log_file.read_bytes(), {"word": "login.done"})


async def _forgotten(stack: RunningStack, account: int) -> None:
    """Nothing of the log-in is left with us."""
    connection = await asyncpg.connect(stack.info["postgres_dsn"])
    tables = ("telegram.sessions", "telegram.logins", "control.login_secrets", "control.account_connections")

    async def gone() -> bool:
        left = [await connection.fetchval(f"select count(*) from {name} where account_id = $1", account)  # noqa: S608
                for name in tables]  # fmt: skip
        return bool(sum(left) == 0)

    try:
        await eventually(gone)
    finally:
        await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def audience(stack: RunningStack) -> Audience:
    return await gather_audience(
        stack, people=12, messages_per_second=None, phone="+4915688005678", handle_stem="tester"
    )


async def _draft(audience: Audience, text: str) -> int:
    campaign = await audience.stack.api.call(
        "POST",
        "/campaigns",
        json={"name": text, "mode": "broadcast", "body": text, "telegram_account_id": audience.account_id},
    )
    campaign_id: int = campaign["id"]
    return campaign_id


async def _received(audience: Audience) -> list[str]:
    parameters = {"from_id": audience.telegram_user_id, "limit": 10000}
    return [message["text"] for message in (await audience.stack.sandbox.get("/messages", params=parameters)).json()]


async def _sent(audience: Audience, campaign_id: int, job_id: str) -> Any:
    path = f"/campaigns/{campaign_id}/test/{job_id}"
    bad = {"failed", "discarded"}
    return await audience.stack.api.await_status(path, {"sent"}, bad=bad, seconds=40)


async def test_a_test_send_reaches_one_person_and_counts_nowhere(stack: RunningStack, audience: Audience) -> None:
    campaign_id = await _draft(audience, "A look, {{first_name}}: {{seat|none}}")
    handle = audience.handles["S000003"]
    body = {"handle": f"@{handle}", "first_name": "Jane", "columns": {"seat": "12A"}}
    made = await stack.api.call("POST", f"/campaigns/{campaign_id}/test", json=body)
    assert made["body"] == "A look, Jane: 12A"
    done = await _sent(audience, campaign_id, made["job_id"])
    assert (done["destination"], done["body"], done["error"]) == (f"@{handle}", made["body"], None)
    assert done["telegram_message_id"] is not None
    assert await _received(audience) == [made["body"]]
    campaign = await stack.api.call("GET", f"/campaigns/{campaign_id}")
    assert campaign["status"] == "draft"
    assert [campaign[f"{name}_count"] for name in ("sent", "failed", "pending")] == [0, 0, 0]
    assert await stack.api.log(campaign_id) == []
    account = await stack.api.call("GET", f"/telegram-accounts/{audience.account_id}")
    assert (account["sent_last_hour"], account["sent_today"]) == (1, 1)
    assert account["gateway"]


@pytest.mark.faults
async def test_tests_survive_the_death_of_nats_gateway_and_api(stack: RunningStack, audience: Audience) -> None:
    before = len(await _received(audience))
    campaign_id = await _draft(audience, "Once, {{first_name}}")
    seats = list(audience.handles)
    jobs: list[str] = []
    for part, some in (("nats", seats[:4]), ("telegram-gateway", seats[4:8]), ("api", seats[8:])):
        if part != "api":
            stack.kill(part)
        for seat in some:
            body = {"handle": audience.handles[seat], "first_name": seat}
            jobs.append((await stack.api.call("POST", f"/campaigns/{campaign_id}/test", json=body))["job_id"])
        if part == "api":  # nobody has seen to its outbox yet, or somebody has
            await stack.restarted(part, stack.kill(part))
    await eventually(lambda: _is_back(stack))
    for job in jobs:
        await _sent(audience, campaign_id, job)
    assert sorted((await _received(audience))[before:]) == [f"Once, {seat}" for seat in seats]


async def _is_back(stack: RunningStack) -> bool:
    try:
        return (await stack.client.get("/api/v1/me")).status_code == 200
    except httpx.TransportError:
        return False


async def test_a_test_whose_job_was_lost_is_sent_all_the_same(stack: RunningStack, audience: Audience) -> None:
    """Its row is all there is, as after the loss of a stream."""
    campaign_id = await _draft(audience, "Found again, {{first_name}}")
    job = uuid4()
    connection = await asyncpg.connect(stack.info["postgres_dsn"])
    try:
        await connection.execute(
            "insert into control.single_sends (workspace_id, campaign_id, account_id, job_id, handle, first_name,"
            " relay_again_at) select workspace_id, id, telegram_account_id, $2, $3, 'Jane', now()"
            " from control.campaigns where id = $1",
            campaign_id, job, audience.handles["S000001"],
        )  # fmt: skip
    finally:
        await connection.close()
    await _sent(audience, campaign_id, str(job))
    assert (await _received(audience)).count("Found again, Jane") == 1


async def test_a_limit_holds_within_a_second_of_its_change(stack: RunningStack, audience: Audience) -> None:
    """No limit, then one a second: what comes a second later obeys it."""
    path = f"/telegram-accounts/{audience.account_id}"
    await stack.api.call("PATCH", path, json={"limits": {"messages_per_second": 1}})
    changed = time.time()
    await asyncio.sleep(1.0)  # the promise
    campaign_id = await _draft(audience, "Slow, {{first_name}}")
    asked = [
        await stack.api.call(
            "POST", f"/campaigns/{campaign_id}/test", json={"handle": audience.handles[seat], "first_name": seat}
        )
        for seat in list(audience.handles)[:4]
    ]
    for one in asked:
        await _sent(audience, campaign_id, one["job_id"])
    assert time.time() - changed > 3.0
