"""Idempotency-Key on any POST: done once, answered the same for a day."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from relaygram_api.adapters import pg_limits
from relaygram_common import identity
from relaygram_local_stack.servers import NatsServer
from tests.api.served import Process
from tests.api.support import Api, another_api, running_api
from tests.support.servers import Database
from tests.support.waiting import eventually

CSV = {"Content-Type": "text/csv"}


def under(key: str, **headers: str) -> dict[str, str]:
    return {"Idempotency-Key": key, **headers}


async def post(api: Api, path: str, key: str, **arguments: Any) -> httpx.Response:
    headers = under(key, **arguments.pop("headers", {}))
    return await api.client.post(f"/api/v1{path}", headers=headers, **arguments)


def assert_repeated(first: httpx.Response, again: httpx.Response) -> None:
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.status_code == first.status_code
    assert again.content == first.content
    own = {"x-request-id", "idempotent-replayed", "x-ratelimit-remaining", "x-ratelimit-reset"}
    for name, value in first.headers.items():
        assert name in own or again.headers[name] == value
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]


async def test_a_thing_is_made_once_and_the_answer_is_repeated_to_the_byte(api: Api) -> None:
    body = {"name": "once", "mode": "broadcast", "body": "x", "telegram_account_id": await api.account()}
    first = await post(api, "/campaigns", "make-1", json=body)
    assert first.status_code == 201
    assert_repeated(first, await post(api, "/campaigns", "make-1", json=body))
    assert (await api.call("GET", "/campaigns?q=once"))["meta"]["pagination"]["total"] == 1
    other = await post(api, "/campaigns", "make-2", json=body)
    assert other.json()["data"]["id"] != first.json()["data"]["id"]


async def test_answers_with_secrets_rest_sealed_and_are_repeated(api: Api) -> None:
    first = await post(api, "/tokens", "token", json={"name": "x"})
    assert_repeated(first, await post(api, "/tokens", "token", json={"name": "x"}))
    sealed = await api.sql("select answer_sealed from control.idempotency_keys where key = 'token'")
    assert first.json()["data"]["token"].partition("|")[2].encode() not in sealed


async def test_an_answer_without_content_is_repeated(api: Api) -> None:
    token = await api.token_with("*")
    async with api.bearing(token) as client:
        first = await client.post("/api/v1/logout", headers=under("bye"))
    assert first.status_code == 204
    sealed = await api.sql("select answer_sealed is not null from control.idempotency_keys where key = 'bye'")
    assert sealed is True


async def test_a_transition_is_made_once(api: Api) -> None:
    campaign = await api.broadcast()
    path = f"/campaigns/{campaign['id']}"
    first = await post(api, f"{path}/start", "start")
    assert first.json()["data"]["status"] == "running"
    await api.call("POST", f"{path}/pause")
    assert_repeated(first, await post(api, f"{path}/start", "start"))
    assert (await api.data("GET", path))["status"] == "paused"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/campaigns/999999/stop", None, 404),
        ("/campaigns", {"name": ""}, 422),
        ("/telegram-accounts/999999/code", {"code": "12345"}, 404),
        ("/campaigns/{stopped}/start", None, 409),
        ("/campaigns/{empty}/start", None, 422),
    ],
)
async def test_what_a_handler_refused_stays_refused(api: Api, path: str, body: Any, status: int) -> None:
    stopped, empty = await api.campaign(), await api.campaign()
    await api.call("POST", f"/campaigns/{stopped['id']}/stop")
    path = path.format(stopped=stopped["id"], empty=empty["id"])
    first = await post(api, path, f"refused {path}".replace(" ", "-"), json=body)
    assert first.status_code == status, first.text
    assert_repeated(first, await post(api, path, f"refused {path}".replace(" ", "-"), json=body))


async def test_a_403_is_kept_and_a_lesser_token_is_not_told_the_answer_of_a_greater_one(api: Api) -> None:
    body = {"name": "x", "mode": "broadcast", "body": "x", "telegram_account_id": await api.account()}
    async with api.bearing(await api.token_with("campaigns:read")) as lesser:
        first = await lesser.post("/api/v1/campaigns", json=body, headers=under("lesser"))
        assert first.status_code == 403
        assert_repeated(first, await lesser.post("/api/v1/campaigns", json=body, headers=under("lesser")))
        await post(api, "/campaigns", "greater", json=body)
        refused = await lesser.post("/api/v1/campaigns", json=body, headers=under("greater"))
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_ability")
        assert "Idempotent-Replayed" not in refused.headers


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/campaigns", {"json": {"name": "z"}}),
        ("/tokens", {"json": {"name": "y"}}),
        ("/tokens?x=1", {"json": {"name": "x"}}),
        ("/campaigns/1/start", {}),
        ("/campaigns/1/contacts", {"content": b"handle\nx\n", "headers": CSV}),
    ],
)
async def test_another_request_under_the_same_key_is_422(api: Api, path: str, arguments: dict[str, Any]) -> None:
    await post(api, "/tokens", "reused", json={"name": "x"})
    refused = await post(api, path, "reused", **arguments)
    assert refused.status_code == 422
    assert refused.json()["code"] == "idempotency_key_reused"
    assert list(refused.json()["errors"]) == ["Idempotency-Key"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é", "a\tb"])
async def test_a_key_is_1_to_255_visible_ascii_characters(api: Api, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode())]
    refused = await api.client.post("/api/v1/tokens", json={"name": "x"}, headers=headers)
    assert refused.status_code == 422
    assert list(refused.json()["errors"]) == ["Idempotency-Key"]


async def test_two_keys_at_once_are_refused_and_the_longest_key_is_taken(api: Api) -> None:
    headers = [(b"Idempotency-Key", b"a"), (b"Idempotency-Key", b"b")]
    assert (await api.client.post("/api/v1/tokens", json={"name": "x"}, headers=headers)).status_code == 422
    assert (await post(api, "/tokens", "~" * 255, json={"name": "x"})).status_code == 201


async def test_keys_of_two_users_never_meet(api: Api) -> None:
    await identity.bootstrap(api.database.dsn, workspace="third", email="third@example.com")
    token = await identity.create_token(api.database.dsn, "third@example.com", "t", ["*"])
    ours = await post(api, "/tokens", "shared", json={"name": "x"})
    async with api.bearing(token) as client:
        theirs = await client.post("/api/v1/tokens", json={"name": "x"}, headers=under("shared"))
    assert theirs.status_code == 201
    assert theirs.json()["data"]["id"] != ours.json()["data"]["id"]


async def test_only_posts_have_keys(api: Api) -> None:
    campaign = await api.campaign()
    for _ in range(2):
        answer = await api.client.put(f"/api/v1/campaigns/{campaign['id']}", json={"name": "x"}, headers=under("put"))
        assert answer.status_code == 200
        assert "Idempotent-Replayed" not in answer.headers


async def test_ten_at_once_in_two_replicas_make_one_thing(api: Api) -> None:
    async with another_api(api) as other:

        async def until_answered(client: httpx.AsyncClient) -> httpx.Response:
            while True:
                answer = await client.post("/api/v1/tokens", json={"name": "ten"}, headers=under("ten"))
                if answer.status_code != 409:
                    return answer
                assert answer.json()["code"] == "idempotency_key_in_use"
                assert answer.headers["Retry-After"] == "1"

        answers = await asyncio.gather(*(until_answered(client) for client in (api.client, other) * 5))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await api.sql("select count(*) from control.api_tokens where name = 'ten'") == 1


async def test_while_the_first_is_at_work_its_key_is_409_and_with_another_body_422(api: Api) -> None:
    campaign = await api.campaign()
    sent, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"handle\n"
        sent.set()
        await may_end.wait()
        yield b"jane\n"

    path = f"/campaigns/{campaign['id']}/contacts"
    first = asyncio.create_task(post(api, path, "slow", content=slow(), headers=CSV))
    await sent.wait()
    await eventually(lambda: api.sql("select true from control.idempotency_keys where key = 'slow'"))
    again = {"content": b"handle\njane\n", "headers": CSV}
    busy = await post(api, path, "slow", **again)
    assert (busy.status_code, busy.json()["code"]) == (409, "idempotency_key_in_use")
    assert (await post(api, "/tokens", "slow", json={"name": "x"})).status_code == 422
    may_end.set()
    assert (await first).status_code == 202
    assert_repeated(await first, await post(api, path, "slow", **again))
    assert (await post(api, path, "slow", content=b"handle\njohn\n", headers=CSV)).status_code == 422
    assert await api.sql("select count(*) from control.imports where campaign_id = $1", campaign["id"]) == 1


async def test_an_upload_that_is_broken_off_gives_the_key_up(api: Api, process: Process) -> None:
    campaign = await api.campaign()
    path = f"/api/v1/campaigns/{campaign['id']}/contacts"
    head = process.head(
        "POST", path, "Content-Type: text/csv", "Content-Length: 100", "Idempotency-Key: broken-off", token=api.token
    )
    _, writer = await asyncio.open_connection("127.0.0.1", process.port)
    writer.write(head + b"handle\njane\n")
    held = "exists (select from control.idempotency_keys where key = 'broken-off')"
    await eventually(lambda: api.sql(f"select {held}"))
    writer.close()
    await eventually(lambda: api.sql(f"select not {held}"))
    again = await api.client.post(path, content=b"handle\njane\n", headers=under("broken-off", **CSV))
    assert again.status_code == 202
    assert "Idempotent-Replayed" not in again.headers


async def test_a_file_that_was_refused_early_is_compared_to_its_end(api: Api) -> None:
    campaign = await api.campaign()
    path, long = f"/campaigns/{campaign['id']}/contacts", b"x" * 100_000
    first = await post(api, path, "malformed", content=b"nonsense\n" + long, headers=CSV)
    assert first.status_code == 422
    assert_repeated(first, await post(api, path, "malformed", content=b"nonsense\n" + long, headers=CSV))
    other = await post(api, path, "malformed", content=b"nonsense\n" + long + b"y", headers=CSV)
    assert other.json()["code"] == "idempotency_key_reused"


async def test_what_says_nothing_of_the_request_is_not_kept(api: Api) -> None:
    for arguments in (
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
        {"content": b"x" * (1024 * 1024 + 1)},
    ):
        assert (await post(api, "/tokens", "unread", **arguments)).status_code in (413, 415, 422)
    assert await api.sql("select count(*) from control.idempotency_keys where key = 'unread'") == 0
    assert (await post(api, "/tokens", "unread", json={"name": "x"})).status_code == 201


async def test_an_error_of_ours_gives_the_key_up(api: Api) -> None:
    await api.sql("alter table control.api_tokens add constraint broken check (name <> 'breaks')")
    refused = await post(api, "/tokens", "broken", json={"name": "breaks"})
    assert refused.status_code == 500
    await api.sql("alter table control.api_tokens drop constraint broken")
    assert (await post(api, "/tokens", "broken", json={"name": "breaks"})).status_code == 201


async def test_an_answer_that_can_not_be_opened_any_more_is_422(api: Api) -> None:
    await post(api, "/tokens", "unreadable", json={"name": "x"})
    await api.sql("update control.idempotency_keys set answer_sealed = 'x' where key = 'unreadable'")
    refused = await post(api, "/tokens", "unreadable", json={"name": "x"})
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")


async def test_keys_are_free_again_after_a_day_and_then_removed(api: Api) -> None:
    await post(api, "/tokens", "old", json={"name": "x"})
    await post(api, "/tokens", "older", json={"name": "x"})
    aged = "update control.idempotency_keys set created_at = created_at - interval '{}' where key like 'old%'"
    await api.sql(aged.format("23 h 59 min"))
    assert (await post(api, "/tokens", "old", json={"name": "x"})).headers["Idempotent-Replayed"] == "true"
    await api.sql(aged.format("2 min"))
    again = await post(api, "/tokens", "old", json={"name": "y"})
    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again.headers
    await pg_limits.prune(api.parts.database, 1000)
    assert await api.sql("select array_agg(key) from control.idempotency_keys where key like 'old%'") == ["old"]


async def test_who_was_taken_over_undoes_its_effect(
    fresh_database: Callable[[], Database], provisioned_nats: NatsServer
) -> None:
    """A process that stood still for longer than its lease wakes up in the middle of its transaction."""
    async with running_api(fresh_database(), provisioned_nats.url) as api:
        await api.sql(
            "create function control.stall() returns trigger language plpgsql as $$ begin if new.name = 'stalls' then "
            "perform pg_advisory_xact_lock(77); end if; return new; end $$"
        )
        await api.sql(
            "create trigger stall before insert on control.api_tokens for each row execute function control.stall()"
        )
        holder = await api.parts.database.pool.acquire()
        await holder.execute("begin; select pg_advisory_xact_lock(77)")
        stalled = asyncio.create_task(post(api, "/tokens", "stalled", json={"name": "stalls"}))
        await eventually(lambda: api.sql("select true from pg_locks where locktype = 'advisory' and not granted"))
        await api.sql("update control.idempotency_keys set claim = gen_random_uuid()")
        await holder.execute("rollback")
        await api.parts.database.pool.release(holder)
        refused = await stalled
        assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_key_in_use")
        assert await api.sql("select count(*) from control.api_tokens where name = 'stalls'") == 0
