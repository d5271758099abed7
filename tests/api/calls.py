"""Every route of the OpenAPI document, to be called."""

import re
from dataclasses import dataclass
from typing import Any

import httpx

from relaygram_api import openapi
from relaygram_api.surfaces import surface_at
from relaygram_api.web import create_app

# How each shape says why it refuses.
_WORDS = {
    "campaign_api": {401: "unauthenticated", 403: "missing_ability", 404: "not_found"},
    "channel_logs": {401: "E401", 403: "E403", 404: "E404"},
    "send_logs": {401: "unauthorized", 403: "forbidden", 404: "resource_not_found"},
}


@dataclass(frozen=True)
class Call:
    """An operation of the document."""

    method: str
    path: str
    name: str
    abilities: tuple[str, ...]
    is_open: bool
    media_type: str | None

    @property
    def parameters(self) -> list[str]:
        """The names of the things in its path."""
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def shape(self) -> str:
        """The surface that it belongs to."""
        surface = surface_at(self.path)
        assert surface is not None
        return surface.name

    def demand_refused(self, answer: httpx.Response, status: int) -> None:
        """The answer refuses it so, in its shape's own words."""
        assert answer.status_code == status, answer.text
        body = answer.json()
        word = body.get("code") or body.get("errorCode") or body["error"]["code"]
        assert word == _WORDS[self.shape][status]

    async def make(self, client: httpx.AsyncClient, things: dict[str, Any]) -> httpx.Response:
        """Call it about these things, with a body that is well-formed and, mostly, wrong: that is seen last."""
        unknown = [name for name in self.parameters if name not in things]
        assert not unknown, f"say in make_things() how to make a thing for {unknown} of {self.path}"
        body: dict[str, Any] = (
            {"content": b"{}", "headers": {"Content-Type": self.media_type}} if self.media_type else {}
        )
        return await client.request(self.method, self.path.format(**things), **body)


def _calls() -> list[Call]:
    return [
        Call(
            method.upper(),
            path,
            operation["operationId"],
            tuple(ability for scheme in operation["security"] for ability in scheme.get("token", ())),
            operation["security"] == [],
            next(iter(operation.get("requestBody", {}).get("content", {})), None),
        )
        for path, item in openapi.document(create_app(None))["paths"].items()
        for method, operation in item.items()
    ]


CALLS = _calls()
CLOSED = [call for call in CALLS if not call.is_open]
