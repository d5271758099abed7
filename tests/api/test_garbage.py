"""Answered requests leave nothing to the garbage collector: it would take a fifth of a quick one's time."""

import gc

import pytest

from relaygram_api.exchange import Exchange
from tests.api.support import Api


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/campaigns", {}),
        ("GET", "/campaigns", {"If-None-Match": "*"}),  # goes by the router each time
        ("POST", "/campaigns", {"Content-Type": "application/json"}),
    ],
)
async def test_an_answered_request_is_gone_at_once(api: Api, method: str, path: str, headers: dict[str, str]) -> None:
    async def ask(times: int) -> None:
        for _ in range(times):
            await api.client.request(method, f"/api/v1{path}", headers=headers)

    await ask(2)
    gc.collect()
    gc.disable()
    try:
        await ask(20)
        left = [thing for thing in gc.get_objects() if isinstance(thing, Exchange)]
    finally:
        gc.enable()
    assert not left
