"""Routes about faults on order."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from relaygram_sandbox.control.access import Running
from relaygram_sandbox.control.models import Fault
from relaygram_sandbox.faults import Action, Rule

router = APIRouter(tags=["faults"])


@router.post("/faults", status_code=201)
async def add_fault(sandbox: Running, body: Fault) -> dict[str, Any]:
    """Add a rule; one of the same name is replaced."""
    given = body.model_dump(exclude={"action"})
    rule = Rule(**given, action=Action(**body.action.model_dump()))
    added = sandbox.telegram.faults.put(rule)
    sandbox.commit()
    return added


@router.get("/faults")
async def list_faults(sandbox: Running) -> list[dict[str, Any]]:
    """Every rule, with how many requests it matched and how often it acted."""
    return sandbox.telegram.faults.list()


@router.delete("/faults", status_code=204)
async def clear_faults(sandbox: Running) -> Response:
    """Remove every rule."""
    sandbox.telegram.faults.clear()
    sandbox.commit()
    return Response(status_code=204)


@router.delete("/faults/{name}", status_code=204)
async def remove_fault(sandbox: Running, name: str) -> Response:
    """Remove one rule."""
    if not sandbox.telegram.faults.remove(name):
        raise HTTPException(404, f"there is no fault {name}")
    sandbox.commit()
    return Response(status_code=204)
