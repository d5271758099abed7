"""The control plane: what it shows, and what it refuses."""

import asyncio
import json
import re
import time
from typing import Any

import pytest
from telethon import functions
from telethon.tl.alltlobjects import LAYER

from tests.sandbox.support import SandboxProcess

NEW_USER = {"first_name": "Ann"}


async def test_info_and_health(sandbox: SandboxProcess) -> None:
    info = await sandbox.get("/info")
    assert (info["host"], info["port"], info["layer"]) == ("127.0.0.1", sandbox.mtproto_port, LAYER)
    assert info["public_key_pem"].startswith("-----BEGIN RSA PUBLIC KEY-----")
    assert isinstance(info["fingerprint"], int)
    for path in ("/livez", "/readyz", "/docs"):
        assert (await sandbox.control.get(path)).status_code == 200
    assert "/users/{user_id}/session" in (await sandbox.get("/openapi.json"))["paths"]


async def test_the_page_needs_nothing_from_the_internet(sandbox: SandboxProcess) -> None:
    page = (await sandbox.control.get("/docs")).text

    wanted = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert wanted
    for address in wanted:
        assert (await sandbox.control.get(address)).status_code == 200


async def test_a_user_is_made_read_and_changed(sandbox: SandboxProcess) -> None:
    given = {
        "id": 5,
        "username": "ann",
        "phone": "+15550500",
        "first_name": "Ann",
        "last_name": "Bee",
        "password": "secret",
        "bot_token": None,
        "privacy": "contacts",
        "state": "active",
        "reply": {"text": "hi", "after_seconds": 1.5},
        "reads_after_seconds": 2.0,
    }
    assert await sandbox.post("/users", given) == given
    change = {"username": "anna", "reply": None, "state": "blocked"}
    changed = await sandbox.request("PATCH", "/users/5", json=change)
    assert changed == {**given, **change}
    assert await sandbox.get("/users/5") == changed
    await sandbox.person(username="ann")


async def test_ten_thousand_users_are_made_at_once(sandbox: SandboxProcess) -> None:
    people = [
        {"first_name": "P", "username": f"person_{number}", "phone": f"+1777{number:07}"} for number in range(10_000)
    ]
    started = time.monotonic()
    made = await sandbox.post("/users", people)
    assert time.monotonic() - started < 5
    assert len({person["id"] for person in made}) == 10_000
    assert [person["username"] for person in made] == [person["username"] for person in people]


async def test_a_list_with_one_taken_name_makes_nobody(sandbox: SandboxProcess) -> None:
    await sandbox.person(username="taken", phone="+15550600", id=9)
    for clash in ({"username": "TAKEN"}, {"phone": "+15550600"}, {"id": 9}):
        body = [{**NEW_USER, "username": "free_name"}, {**NEW_USER, **clash}]
        answer = await sandbox.control.post("/users", json=body)
        assert answer.status_code == 409
        assert "taken" in answer.json()["message"]
    twins = [{**NEW_USER, "username": "free_name"}] * 2
    assert (await sandbox.control.post("/users", json=twins)).status_code == 409
    await sandbox.person(username="free_name")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("POST", "/users", {}, 422, "first_name"),
        ("POST", "/users", [], 422, "at least 1"),
        ("POST", "/users", [NEW_USER, {"first_name": 7}], 422, "1.first_name"),
        ("POST", "/users", "nobody", 422, "body"),
        ("POST", "/users", {**NEW_USER, "phone": "15550700"}, 422, "phone"),
        ("POST", "/users", {**NEW_USER, "username": "a b"}, 422, "username"),
        ("POST", "/users", {**NEW_USER, "privacy": "nobody"}, 422, "privacy"),
        ("POST", "/users", {**NEW_USER, "reply": {"text": ""}}, 422, "reply.text"),
        ("POST", "/users", {**NEW_USER, "reads_after_seconds": -1}, 422, "reads_after_seconds"),
        ("POST", "/users", {**NEW_USER, "nick": "x"}, 422, "nick"),
        ("POST", "/users", {**NEW_USER, "id": 2**70}, 422, "id"),
        ("PATCH", "/users/1", {"id": 2}, 404, "no user 1"),
        ("GET", "/users/1", None, 404, "no user 1"),
        ("GET", "/users/one", None, 422, "user_id"),
        ("POST", "/users/1/session", None, 404, "no user 1"),
        ("GET", "/login-codes/+15550700", None, 404, "no login code"),
        ("GET", "/messages?limit=0", None, 422, "limit"),
        ("GET", "/messages?limit=10001", None, 422, "limit"),
        ("GET", "/messages?after=x", None, 422, "after"),
        ("GET", f"/messages?from_id={10**30}", None, 422, "from_id"),
        ("GET", "/wire?after=-1", None, 422, "after"),
        ("POST", "/faults", {"name": "x"}, 422, "action"),
        ("POST", "/faults", {"name": "x", "action": {}}, 422, "exactly one"),
        ("POST", "/faults", {"name": "x", "action": {"error": "flood wait"}}, 422, "error"),
        ("POST", "/faults", {"name": "x", "action": {"drop": "during"}}, 422, "drop"),
        (
            "POST",
            "/faults",
            {"name": "x", "action": {"silent": True}, "method": "sendMessage"},
            422,
            "method",
        ),
        (
            "POST",
            "/faults",
            {"name": "x", "action": {"silent": True}, "probability": 2},
            422,
            "probability",
        ),
        ("DELETE", "/faults/unknown", None, 404, "unknown"),
        ("PUT", "/settings", {"random_id_policy": "forget"}, 422, "random_id_policy"),
        ("PUT", "/settings", {"strict": True}, 422, "strict"),
        ("PUT", "/limits", {"messages_per_second": 0}, 422, "messages_per_second"),
        ("GET", "/nothing", None, 404, "Not Found"),
        ("DELETE", "/users/1", None, 405, "Method"),
    ],
)
async def test_bad_requests_are_told_what_is_wrong(
    sandbox: SandboxProcess, method: str, path: str, body: Any, status: int, word: str
) -> None:
    answer = await sandbox.control.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["message"]
    assert word in answer.json()["message"]


async def test_a_body_that_is_not_json_is_told_so(sandbox: SandboxProcess) -> None:
    answer = await sandbox.control.post("/users", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()) == (422, {"message": "the body is not JSON"})
    answer = await sandbox.control.post("/users", content=b'{"first_name": "Ann"}')
    assert answer.status_code == 422
    assert "application/json" in answer.json()["message"]


async def test_unknown_people_in_bodies_are_named(sandbox: SandboxProcess) -> None:
    person = await sandbox.person()
    for path, body, field in (
        ("messages", {"to_id": 1, "text": "hello"}, "to_id"),
        ("read", {"peer_id": 1}, "peer_id"),
    ):
        answer = await sandbox.control.post(f"/users/{person['id']}/{path}", json=body)
        assert answer.status_code == 422
        assert answer.json()["message"].startswith(field)


async def test_the_record_is_paged_filtered_and_streamed(sandbox: SandboxProcess) -> None:
    one, two, account = [await sandbox.person() for _ in range(3)]
    for number in range(6):
        writer = (one, two)[number % 2]
        body = {"to_id": account["id"], "text": str(number)}
        await sandbox.post(f"/users/{writer['id']}/messages", body)
    page = await sandbox.get("/messages", after=2, limit=3)
    assert [row["seq"] for row in page] == [3, 4, 5]
    assert {row["direction"] for row in page} == {"inbound"}
    of_two = await sandbox.get("/messages", from_id=two["id"], to_id=account["id"])
    assert [row["text"] for row in of_two] == ["1", "3", "5"]
    stream = await sandbox.control.get("/messages", headers={"accept": "application/x-ndjson"})
    assert stream.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in stream.text.splitlines()] == await sandbox.get("/messages")


async def test_the_wire_shows_every_attempt(sandbox: SandboxProcess) -> None:
    async with sandbox.account() as client:
        await client(functions.messages.SendMessageRequest("me", "hello", random_id=3))
    rows = await sandbox.get("/wire")
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    last = rows[-1]
    assert last.pop("date").endswith("Z")
    assert last == {
        "seq": len(rows),
        "method": "messages.sendMessage",
        "account_id": client.profile["id"],
        "random_id": 3,
        "outcome": "accepted",
        "error": None,
    }
    assert await sandbox.get("/wire", after=len(rows) - 1) == (await sandbox.get("/wire"))[-1:]


async def test_stats_tell_how_fast_an_account_sent(sandbox: SandboxProcess) -> None:
    async with sandbox.account() as client:
        request = functions.messages.SendMessageRequest
        await asyncio.gather(*(client(request("me", str(number))) for number in range(30)))
        stats = await sandbox.get("/stats")
    assert stats["accounts"] == {
        str(client.profile["id"]): {"accepted": 30, "max_in_one_second": 30, "max_in_one_hour": 30}
    }
    assert (stats["accepted"], stats["connections"]) == (30, 1)


async def test_a_reset_empties_everything(sandbox: SandboxProcess) -> None:
    async with sandbox.account() as client:
        await client.send_message("me", "hello")
        await sandbox.put("/settings", strict_sessions=False)
        info = await sandbox.get("/info")
        await sandbox.post("/reset")
        assert await client.get_me() is None
    assert await sandbox.get("/info") == info
    assert (await sandbox.get("/settings"))["strict_sessions"] is True
    assert await sandbox.get("/messages") == []
    assert {row["method"] for row in await sandbox.get("/wire")} <= {"users.getUsers"}
