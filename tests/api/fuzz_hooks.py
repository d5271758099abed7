"""What schemathesis is told of the api: it must not revoke the token it calls with."""

import os
from typing import Any

import httpx
import schemathesis

_URL, _EMAIL, _PASSWORD = (os.environ[f"RELAYGRAM_FUZZ_{name}"] for name in ("URL", "EMAIL", "PASSWORD"))
_TOKEN = os.environ["RELAYGRAM_FUZZ_TOKEN"]
_OWN = int(_TOKEN.partition("|")[0])


# Things that test_fuzz.py brings into a state in which these calls have an effect; and calls that would end that.
_NEEDS = {
    "enter_telegram_code": ("account_id", 3),
    "resend_telegram_code": ("account_id", 3),
    "enter_telegram_password": ("account_id", 4),
    "reconnect_telegram_account": ("account_id", 6),
    "replace_steps": ("campaign_id", 2),
    "pause_campaign": ("campaign_id", 1),
    "test_campaign": ("campaign_id", 1),
}
_ENDS = {
    "delete_telegram_account": "account_id",
    **dict.fromkeys(("delete_campaign", "stop_campaign", "update_campaign", "patch_campaign"), "campaign_id"),
}
_MADE = range(1, 6)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """A call that revokes its token gets one that nobody else needs."""
    operation_id = case.operation.definition.raw.get("operationId")
    if operation_id == "logout" and (case.headers or {}).get("Authorization") == f"Bearer {_TOKEN}":
        case.headers["Authorization"] = f"Bearer {_another_token()}"
    ids = case.path_parameters or {}
    name, value = _NEEDS.get(operation_id, ("", 0))
    if str(ids.get(name)) in map(str, _MADE):
        ids[name] = value
    if str(ids.get("campaign_id")) in map(str, _MADE):
        ids.update(_pair(operation_id))
    name = _ENDS.get(operation_id, "")
    if str(ids.get(name)) in map(str, _MADE):
        ids[name] = _MADE[-1]
    if operation_id == "revoke_token" and str(case.path_parameters.get("token_id")) == str(_OWN):
        case.path_parameters["token_id"] = _OWN + 1_000_000


def _pair(operation_id: str) -> dict[str, Any]:
    """Two ids that belong together, for calls whose path has two."""
    if operation_id == "remove_contact":
        people = _data("GET", "/campaigns/2/senders")
        return {"campaign_id": 2, "sender_id": people[0]["id"]} if people else {}
    if operation_id == "get_campaign_test":
        return {"campaign_id": 1, "job_id": _data("POST", "/campaigns/1/test", {"handle": "@person_0"})["job_id"]}
    return {}


def _another_token() -> str:
    body = {"email": _EMAIL, "password": _PASSWORD, "device_name": "fuzz"}
    token: str = _data("POST", "/login", body)["token"]
    return token


def _data(method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {_TOKEN}"}
    answer = httpx.request(method, f"{_URL}/api/v1{path}", json=body, headers=headers)
    return answer.raise_for_status().json()["data"]
