"""What schemathesis is told of the api: it must not revoke the token it calls with."""

import os
from typing import Any

import httpx
import schemathesis

_URL, _EMAIL, _PASSWORD = (os.environ[f"RELAYGRAM_FUZZ_{name}"] for name in ("URL", "EMAIL", "PASSWORD"))
_TOKEN = os.environ["RELAYGRAM_FUZZ_TOKEN"]
_OWN = int(_TOKEN.partition("|")[0])


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """A call that revokes its token gets one that nobody else needs."""
    operation_id = case.operation.definition.raw.get("operationId")
    if operation_id == "logout" and (case.headers or {}).get("Authorization") == f"Bearer {_TOKEN}":
        case.headers["Authorization"] = f"Bearer {_another_token()}"
    if operation_id == "revoke_token" and str(case.path_parameters.get("token_id")) == str(_OWN):
        case.path_parameters["token_id"] = _OWN + 1_000_000


def _another_token() -> str:
    body = {"email": _EMAIL, "password": _PASSWORD, "device_name": "fuzz"}
    token: str = httpx.post(f"{_URL}/api/v1/login", json=body).raise_for_status().json()["data"]["token"]
    return token
