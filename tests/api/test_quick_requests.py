"""What makes requests cheap and is soon undone without being noticed."""

import gc
import inspect

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from relaygram_api.exchange import Exchange
from relaygram_api.web import create_app
from tests.api.support import Api


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/campaigns", {}),
        ("GET", "/campaigns", {"If-None-Match": "*"}),  # goes by the router each time
        ("POST", "/campaigns", {"Content-Type": "application/json"}),
    ],
)
async def test_an_answered_request_is_gone_without_the_garbage_collector(
    api: Api, method: str, path: str, headers: dict[str, str]
) -> None:
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


def test_no_part_of_a_request_is_handed_to_a_thread() -> None:
    """FastAPI does so with whatever is not `async`, which takes longer than most of these functions by far."""
    routes = [route for route in create_app(None).routes if isinstance(route, APIRoute)]
    calls = {call for route in routes for call in _calls(route.dependant)}
    assert len(routes) > 50
    assert [call for call in calls if not inspect.iscoroutinefunction(call)] == []


def _calls(dependant: Dependant) -> list[object]:
    return [dependant.call, *(call for needed in dependant.dependencies for call in _calls(needed))]
