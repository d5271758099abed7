"""Values that break programs: each is refused with a clear 4xx, or kept exactly.

Bytes that do: test_abuse_on_the_wire.py.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relaygram_local_stack.servers import NatsServer
from tests.api.support import Api, running_api
from tests.support.servers import Database

JSON = {"Content-Type": "application/json"}
HUGE = 10**400
DEEP = 100_000


async def refused(api: Api, method: str, path: str, body: bytes) -> Any:
    """The 422 to these bytes."""
    return await api.errors(method, path, content=body, headers=JSON)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("مرحبا {{first_name|صديق}}", id="right-to-left"),
        pytest.param("\u202eevil\u202c \u2067mixed\u2069", id="direction marks"),
        pytest.param("e\u0301 \u1112\u1161\u11ab Z\u0351\u036b\u0343", id="combining"),
        pytest.param("👩‍👩‍👧‍👦 🏳️‍🌈 \U0010ffff \ufeff \u2028", id="joined and last characters"),
        pytest.param("a\tb\r\nc\x01\x1f\x7f", id="control characters"),
        pytest.param("'; drop table control.campaigns; -- <script>alert(1)</script> ${x} %s \\", id="injections"),
    ],
)
async def test_texts_are_kept_exactly(api: Api, text: str) -> None:
    made = await api.campaign(name=text, body=text, reference=text)
    shown = await api.data("GET", f"/campaigns/{made['id']}")
    assert (shown["name"], shown["body"], shown["reference"]) == (text, text, text)
    found = await api.data("GET", "/campaigns", params={"q": text})
    assert [campaign["id"] for campaign in found] == [made["id"]]


async def test_what_a_search_takes_for_a_pattern_is_text(api: Api) -> None:
    made = await api.campaign(name="100%_\\sure")
    for part in ("%", "_", "\\", "0%_\\s"):
        assert made["id"] in [campaign["id"] for campaign in await api.data("GET", "/campaigns", params={"q": part})]
    assert await api.data("GET", "/campaigns", params={"q": "1%e"}) == []


@pytest.mark.parametrize("surrogate", [b'"\\ud800"', b'"\\udc00\\ud800"', b'"a\\ud83d"', b'"\xed\xa0\x80"'])
async def test_lone_surrogates_are_no_json(api: Api, surrogate: bytes) -> None:
    assert await refused(api, "POST", "/campaigns", b'{"name": ' + surrogate + b"}") == {"body": ["is not JSON"]}


@pytest.mark.parametrize("key", [b'"a\\u0000b"', b'"\\u0000"'])
async def test_nul_in_a_key_is_named(api: Api, key: bytes) -> None:
    assert await refused(api, "POST", "/campaigns", b"{" + key + b": 1}") == {
        "body": ["must not contain the character NUL"]
    }


@pytest.mark.parametrize(
    "value", ["1.0", "1.5", "1e0", "-1", "0", str(2**63), str(HUGE), "true", '"1"', "null", "[]", "{}", "-0"]
)
async def test_what_is_no_id_in_a_body_is_named(api: Api, value: str) -> None:
    body = b'{"name": "x", "mode": "broadcast", "body": "x", "telegram_account_id": ' + value.encode() + b"}"
    errors = await refused(api, "POST", "/campaigns", body)
    # PostgreSQL's largest id is a number; one beyond it is, as JSON, none that can be held.
    assert list(errors) in (["telegram_account_id"], ["body"])


@pytest.mark.parametrize("value", ["1.5", "true", '"5"', str(2**63), str(HUGE), "-1", "1e3"])
async def test_limits_that_are_no_integers_are_named(api: Api, value: str) -> None:
    path = f"/telegram-accounts/{await api.account()}"
    errors = await refused(api, "PATCH", path, b'{"limits": {"messages_per_hour": ' + value.encode() + b"}}")
    assert list(errors) in (["limits.messages_per_hour"], ["body"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * DEEP + b"]" * DEEP, id="lists"),
        pytest.param(b'{"a":' * DEEP + b"1" + b"}" * DEEP, id="objects"),
        pytest.param(b'{"name": ' + b"[" * DEEP + b"]" * DEEP + b"}", id="in a field"),
        pytest.param(b'{"name": ' + b"[" * 500 + b"]" * 500 + b"}", id="500 deep in a field"),
        pytest.param(b'{"name": "\\u0000", "x": ' + b"[" * 1000 + b"]" * 1000 + b"}", id="with NUL beside"),
    ],
)
async def test_deep_json_is_refused(api: Api, body: bytes) -> None:
    for path in ("/campaigns", "/suppressions", f"/campaigns/{(await api.campaign())['id']}/contacts"):
        assert await refused(api, "POST", path, body)


async def test_many_keys_and_long_texts_are_refused_shortly(api: Api) -> None:
    keys = json.dumps({f"key_{number}": 1 for number in range(50_000)}).encode()
    answer = await api.client.post("/api/v1/campaigns", content=keys, headers=JSON)
    assert answer.status_code == 422
    assert len(answer.content) < 100_000
    for field, text in (("name", "n" * 900_000), ("body", "b" * 900_000), ("reference", "r" * 900_000)):
        answer = await api.client.post("/api/v1/campaigns", json={field: text})
        assert answer.status_code == 422
        assert field in answer.json()["errors"]
        assert len(answer.content) < 2000


async def test_ten_megabytes_are_413(api: Api) -> None:
    for path in ("/campaigns", "/login", "/nothing"):
        answer = await api.client.post(f"/api/v1{path}", content=b" " * 10_000_000, headers=JSON)
        assert answer.status_code == 413
        assert answer.json()["code"] == "too_large"


@pytest.mark.parametrize(
    "moment",
    [
        "10000-01-01T00:00:00Z", "+10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:30:00Z", "2026-01-01T00:60:00Z",
        "2026-12-31T23:59:60Z", "2026-12-31T23:59:61Z", "2026-01-01T00:00:00+24:00", "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00", "1767225600", "now", "", " ", "٢٠٢٧-٠١-٠١T٠٠:٠٠:٠٠Z",
        "2027-01-01T00:00:00Z" + "0" * 5000,
    ],
)  # fmt: skip
async def test_moments_that_can_not_be_are_named(api: Api, moment: str) -> None:
    errors = await api.errors("POST", "/tokens", json={"name": "x", "expires_at": moment})
    assert list(errors) == ["expires_at"]
    campaign = await api.campaign()
    assert list(await api.errors("PUT", f"/campaigns/{campaign['id']}", json={"scheduled_at": moment})) == [
        "scheduled_at"
    ]
    assert list(await api.errors("GET", f"/campaigns/{campaign['id']}/logs", params={"since": moment})) == ["since"]


@pytest.mark.parametrize("value", [1767225600, 1e9, True, [], {}, ["2027-01-01T00:00:00Z"]])
async def test_moments_that_are_no_texts_are_named(api: Api, value: Any) -> None:
    assert list(await api.errors("POST", "/tokens", json={"name": "x", "expires_at": value})) == ["expires_at"]


async def test_the_last_second_there_is_and_any_offset_are_moments(api: Api) -> None:
    for given, shown in (
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("2099-01-01T00:00:00+05:45", "2098-12-31T18:15:00Z"),
        ("2099-01-01T00:00:00.123456789-12:00", "2099-01-01T12:00:00Z"),
    ):
        made = await api.data("POST", "/tokens", status=201, json={"name": "x", "expires_at": given})
        assert made["expires_at"] == shown


async def test_of_a_key_named_twice_the_last_counts_and_of_a_parameter_too(api: Api) -> None:
    body = b'{"name": "first", "name": "second"}'
    made = await api.data("POST", "/tokens", status=201, content=body, headers=JSON)
    assert made["name"] == "second"
    found = await api.call("GET", "/campaigns?per_page=1&per_page=2")
    assert found["meta"]["pagination"]["per_page"] == 2


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/campaigns?page=1%00", "page"), ("/campaigns?page=１", "page"), ("/campaigns?page=+1", "page"),
        ("/campaigns?page=1e2", "page"), ("/campaigns?page=0x1", "page"), ("/campaigns?page=1_000", "page"),
        ("/campaigns?page=NaN", "page"), ("/campaigns?page=Infinity", "page"), ("/campaigns?q=%00", "q"),
        ("/campaigns?status=RUNNING", "status"), ("/campaigns?status=", "status"), ("/campaigns?mode=x%00", "mode"),
        (f"/campaigns?q={'a' * 5000}", "q"), ("/logs?cursor=%ff", "cursor"), ("/logs?cursor=AAAA", "cursor"),
    ],
)  # fmt: skip
async def test_strange_parameters_are_named(api: Api, path: str, field: str) -> None:
    assert list(await api.errors("GET", path)) == [field]


async def test_bytes_in_a_query_that_are_no_utf_8_are_searched_for_and_not_found(api: Api) -> None:
    for query in ("q=%ff%fe", "q=%ed%a0%80", "q=%c0%80"):
        assert (await api.call("GET", f"/campaigns?{query}"))["data"] == []


async def test_unknown_parameters_are_not_looked_at(api: Api) -> None:
    assert (await api.client.get("/api/v1/campaigns?unknown=1&page[]=2&__proto__=1")).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain", "application/xml", "multipart/form-data; boundary=x", "json", "*/*",
        "application/json; charset=utf-16", "application/json; charset=iso-8859-1",
    ],
)  # fmt: skip
async def test_other_media_types_and_charsets_are_415(api: Api, kind: str) -> None:
    await api.call("POST", "/tokens", status=415, content=b'{"name": "x"}', headers={"Content-Type": kind})


@pytest.mark.parametrize(
    "kind", ["application/json;charset=UTF-8", "Application/JSON", 'application/json; charset="utf-8"']
)
async def test_utf_8_said_in_any_way_is_json(api: Api, kind: str) -> None:
    body = '{"name": "é"}'.encode()
    assert (await api.data("POST", "/tokens", status=201, content=body, headers={"Content-Type": kind}))["name"] == "é"


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "GZIP", "identity, gzip"])
async def test_encoded_bodies_are_415(api: Api, encoding: str) -> None:
    headers = {**JSON, "Content-Encoding": encoding}
    answer = await api.call("POST", "/tokens", status=415, content=b"\x1f\x8b", headers=headers)
    assert "Content-Encoding" in answer["message"]


async def test_a_byte_order_mark_before_json_is_no_json_and_before_csv_is_fine(api: Api) -> None:
    assert await refused(api, "POST", "/tokens", b'\xef\xbb\xbf{"name": "x"}') == {"body": ["is not JSON"]}
    done = await api.import_csv((await api.campaign())["id"], b"\xef\xbb\xbfhandle\njane_doe\n")
    assert done["accepted"] == 1


async def test_names_in_contact_files_are_kept_exactly(api: Api) -> None:
    campaign = await api.campaign()
    names = ["مرحبا", "e\u0301", "=cmd|' /C calc'!A0", "O'Neil \U0001f468‍\U0001f469"]
    lines = "".join(f'person_{number},"{name}"\n' for number, name in enumerate(names))
    await api.import_csv(campaign["id"], f"handle,first_name\n{lines}")
    senders = await api.data("GET", f"/campaigns/{campaign['id']}/senders")
    assert [sender["first_name"] for sender in senders] == names


@pytest.mark.parametrize("path", ["/campaigns/" + "9" * 5000, "/" + "a/" * 3000, "/campaigns//1",
                                  "/campaigns/1%2f", "/campaigns/１", "/CAMPAIGNS", "/campaigns/", "/campaigns/1;a=b",
                                  "/campaigns/+1", "/campaigns/1%0a", "/%00", "/campaigns/%F0%9F%92%A9"])  # fmt: skip
async def test_paths_that_lead_nowhere_are_404(api: Api, path: str) -> None:
    answer = await api.client.get(f"/api/v1{path}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PROPFIND", "get"])
async def test_methods_that_are_not_offered_are_405_and_told_which_are(api: Api, method: str) -> None:
    answer = await api.client.request(method, "/api/v1/campaigns")
    if method == "get":  # httpx makes it GET
        assert answer.status_code == 200
        return
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


async def test_a_method_in_a_header_or_query_is_not_looked_at(api: Api) -> None:
    made = await api.campaign()
    headers = {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE"}
    await api.call("GET", f"/campaigns/{made['id']}?_method=DELETE", headers=headers)
    await api.call("GET", f"/campaigns/{made['id']}")


async def test_a_body_on_a_get_is_not_looked_at(api: Api) -> None:
    await api.call("GET", "/me", content=b"{", headers=JSON)


@pytest.mark.parametrize("key", [b"a b", b"\xe9", b"x" * 256, b"", b"a\tb"])
async def test_keys_for_idempotency_that_are_none_are_named(api: Api, key: bytes) -> None:
    answer = await api.client.post("/api/v1/tokens", json={"name": "x"}, headers=[(b"Idempotency-Key", key)])
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]


@pytest.mark.parametrize("given", [b"a\r\nSet-Cookie: x=1", b"a\nb", b"\x00", b"<script>", b"a" * 65, "é".encode()])
async def test_no_header_of_an_answer_is_of_the_callers_making(api: Api, given: bytes) -> None:
    answer = await api.client.get("/api/v1/me", headers=[(b"X-Request-Id", given)])
    assert answer.headers["X-Request-Id"].isalnum()
    assert "set-cookie" not in answer.headers


async def test_a_body_that_comes_byte_by_byte_is_given_up(database: Database, provisioned_nats: NatsServer) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.1)

    bounds = {"upload_idle_seconds": 0.5, "max_json_bytes": 1024}
    email = "slow@example.com"
    async with running_api(database, provisioned_nats.url, email=email, workspace="slow", **bounds) as slow:
        async with asyncio.timeout(5):
            refused = await slow.call("POST", "/tokens", status=408, content=drip(), headers=JSON)
    assert refused["code"] == "too_slow"
