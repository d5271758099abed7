"""Optimistic concurrency, offered and not demanded: `ETag`, `If-Match`, `If-None-Match`."""

import asyncio
from typing import Any

import httpx
import pytest

from relaygram_api import openapi
from relaygram_api.core.entity_tags import entity_tag, is_same_answer, is_version, parse_tags
from relaygram_api.web import create_app
from tests.api.log_rows import row, write_log
from tests.api.support import Api

CHANGES: list[tuple[str, str, Any]] = [
    ("PUT", "", {"name": "New"}), ("PATCH", "", {"name": "New"}), ("DELETE", "", None), ("POST", "/start", None),
    ("POST", "/pause", None), ("POST", "/stop", None),
]  # fmt: skip


async def answer(api: Api, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.client.request(method, f"/api/v1{path}", json=body, headers=named)


async def running(api: Api) -> str:
    campaign = await api.broadcast(contacts=1)
    path = f"/campaigns/{campaign['id']}"
    await api.call("POST", f"{path}/start")
    return path


async def tag_of(api: Api, path: str) -> str:
    return (await answer(api, "GET", path)).headers["etag"]


async def test_every_answer_with_a_campaign_has_its_etag(api: Api) -> None:
    body = {"name": "A", "mode": "auto_reply", "trigger_keyword": "x", "body": "B", "telegram_account_id": 0}
    made = await answer(api, "POST", "/campaigns", {**body, "telegram_account_id": await api.account()})
    path = f"/campaigns/{made.json()['data']['id']}"
    assert made.headers["etag"] == await tag_of(api, path)
    for method, below, change in [
        ("PUT", "", {"name": "B"}), ("PATCH", "", {"name": "C"}), ("POST", "/start", None), ("POST", "/pause", None),
        ("POST", "/start", None), ("POST", "/stop", None),
    ]:  # fmt: skip
        changed = await answer(api, method, path + below, change)
        assert changed.status_code == 200, changed.text
        assert changed.headers["etag"] == await tag_of(api, path) != made.headers["etag"]


@pytest.mark.parametrize(("method", "below", "body"), CHANGES)
async def test_if_match_with_an_older_version_is_412_and_changes_nothing(
    api: Api, method: str, below: str, body: Any
) -> None:
    path = await running(api)
    old = await tag_of(api, path)
    await api.call("PUT", path, json={"body": "Somebody else was faster"})
    now = await answer(api, "GET", path)
    refused = await answer(api, method, path + below, body, if_match=old)
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    after = await answer(api, "GET", path)
    assert (after.content, after.headers["etag"]) == (now.content, now.headers["etag"])


@pytest.mark.parametrize(("method", "below", "body"), CHANGES)
@pytest.mark.parametrize("given", ["the tag", "one of several", "any", "none"])
async def test_if_match_with_the_present_version_or_any_lets_through(
    api: Api, method: str, below: str, body: Any, given: str
) -> None:
    path = await running(api)
    tag = await tag_of(api, path)
    headers = {"the tag": {"if_match": tag}, "one of several": {"if_match": f'"x", {tag}'}, "any": {"if_match": "*"}}
    done = await answer(api, method, path + below, body, **headers.get(given, {}))
    assert done.status_code == (204 if method == "DELETE" else 200), done.text


@pytest.mark.parametrize(("method", "below", "body"), CHANGES)
async def test_if_match_that_is_no_entity_tag_is_422_by_its_name(api: Api, method: str, below: str, body: Any) -> None:
    path = await running(api)
    refused = await answer(api, method, path + below, body, if_match="12")
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["If-Match"])
    unknown = await answer(api, method, f"/campaigns/999999{below}", body, if_match="12")
    assert unknown.status_code == 404


async def test_what_is_gone_is_404_whatever_if_match_says(api: Api) -> None:
    path = await running(api)
    tag = await tag_of(api, path)
    assert (await answer(api, "DELETE", path, if_match=tag)).status_code == 204
    assert (await answer(api, "DELETE", path, if_match="*")).status_code == 404


async def test_if_match_comes_before_what_the_state_forbids(api: Api) -> None:
    path = await running(api)
    old = await tag_of(api, path)
    await api.call("POST", f"{path}/stop")
    assert (await answer(api, "POST", f"{path}/start", if_match=old)).status_code == 412
    assert (await answer(api, "POST", f"{path}/start", if_match=await tag_of(api, path))).status_code == 409


async def test_counts_that_move_on_do_not_stand_in_the_way_of_a_change(api: Api) -> None:
    path = await running(api)
    before = await tag_of(api, path)
    await write_log(api, [row(int(path.rpartition("/")[2]), "sent", sender_id=1)])
    assert await tag_of(api, path) != before
    changed = await answer(api, "PUT", path, {"name": "B"}, if_match=before)
    assert changed.status_code == 200


async def test_of_ten_changes_at_once_that_rest_on_the_same_version_one_wins(api: Api) -> None:
    path = await running(api)
    tag = await tag_of(api, path)
    done = await asyncio.gather(
        *(answer(api, "PUT", path, {"name": f"Name {number}"}, if_match=tag) for number in range(10))
    )
    assert sorted(one.status_code for one in done) == [200] + [412] * 9
    (winner,) = [one for one in done if one.status_code == 200]
    assert (await api.data("GET", path))["name"] == winner.json()["data"]["name"]


async def test_if_none_match_gives_304_for_the_very_same_answer_only(api: Api) -> None:
    path = await running(api)
    first = await answer(api, "GET", path)
    tag = first.headers["etag"]
    for header in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        same = await answer(api, "GET", path, if_none_match=header)
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    # A count makes another answer, though the version is the same.
    await write_log(api, [row(int(path.rpartition("/")[2]), "sent", sender_id=1)])
    other = await answer(api, "GET", path, if_none_match=tag)
    assert (other.status_code, other.json()["data"]["sent_count"]) == (200, 1)
    wrong = await answer(api, "GET", path, if_none_match="x")
    assert (wrong.status_code, list(wrong.json()["errors"])) == (422, ["If-None-Match"])


async def test_if_match_in_several_lines_is_one_list(api: Api) -> None:
    path = await running(api)
    lines = [("If-Match", '"x"'), ("If-Match", await tag_of(api, path))]
    assert (await api.client.post(f"/api/v1{path}/pause", headers=lines)).status_code == 200


def test_the_document_tells_of_it() -> None:
    paths = openapi.document(create_app(None))["paths"]
    one = "/api/v1/campaigns/{campaign_id}"
    for method, below, body in CHANGES:
        operation = paths[one + below][method.lower()]
        assert "If-Match" in [parameter.get("name") for parameter in operation["parameters"]]
        assert "412" in operation["responses"]
        assert body is None or "ETag" in operation["responses"]["200"]["headers"]
    read = paths[one]["get"]["responses"]
    assert "ETag" in read["200"]["headers"]
    assert "content" not in read["304"]
    assert "ETag" in paths["/api/v1/campaigns"]["post"]["responses"]["201"]["headers"]


@pytest.mark.parametrize("header", ["", "x", '"a" "b', '"a"b', "W/x", '"a" *', '"\x7f"', '"a b"', ","])
def test_what_is_no_list_of_entity_tags(header: str) -> None:
    with pytest.raises(ValueError, match="entity tags"):
        parse_tags(header)


def test_entity_tags_are_compared_as_the_rfc_says() -> None:
    tag = entity_tag(12, b"content")
    assert tag != entity_tag(12, b"other") != entity_tag(13, b"other")
    assert is_version(parse_tags(f' "a,b" ,,{tag}\t'), 12)
    assert not is_version(parse_tags(tag), 1)
    assert not is_version(parse_tags(f"W/{tag}"), 12)  # strong comparison
    assert is_same_answer(parse_tags(f"W/{tag}"), tag)  # weak comparison
    assert not is_same_answer(parse_tags(entity_tag(12, b"other")), tag)
    assert is_version(parse_tags(" * "), 99)
