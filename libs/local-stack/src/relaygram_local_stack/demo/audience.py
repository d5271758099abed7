"""Puts the people of a contacts file into the sandbox, so that there is somebody to write to."""

import csv
import io
from typing import Any

import httpx

from relaygram_cli.errors import CommandError

_BATCH = 5_000


async def populate(sandbox: httpx.AsyncClient, contacts_csv: str) -> dict[str, int]:
    """Make a person for each line with something in column `sandbox`; → Telegram id by seat."""
    lines = [line for line in csv.DictReader(io.StringIO(contacts_csv)) if line.get("sandbox")]
    ids: dict[str, int] = {}
    for start in range(0, len(lines), _BATCH):
        batch = lines[start : start + _BATCH]
        answer = await sandbox.post("/users", json=[_person(line) for line in batch])
        if answer.status_code >= 400:
            raise CommandError(f"the sandbox refused the people of the file: {answer.text[:300]}")
        ids.update({line["seat"]: person["id"] for line, person in zip(batch, answer.json(), strict=True)})
    return ids


def _person(line: dict[str, str]) -> dict[str, Any]:
    person: dict[str, Any] = {"first_name": line["first_name"], "last_name": line["last_name"]}
    if line["handle"]:
        person["username"] = line["handle"].lstrip("@")
    if line["phone"]:
        person["phone"] = line["phone"]
    if line["sandbox"] == "private":
        person["privacy"] = "contacts"
    if line["sandbox"] == "deactivated":
        person["state"] = "deactivated"
    return person
