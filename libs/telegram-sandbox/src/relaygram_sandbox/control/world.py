"""Routes about the sandbox as a whole: health, how to reach it, settings, reset."""

from typing import Any

from fastapi import APIRouter, Request

from relaygram_sandbox.control.access import Running
from relaygram_sandbox.control.models import LimitsChange, SettingsChange
from relaygram_sandbox.tl import LAYER

router = APIRouter(tags=["sandbox"])


@router.get("/livez")
async def is_alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def is_ready() -> dict[str, str]:
    """Clients can connect: this port opens only after the MTProto port."""
    return {"status": "ok"}


@router.get("/info")
async def read_info(sandbox: Running, request: Request) -> dict[str, Any]:
    """What a client needs to connect."""
    key = sandbox.telegram.server.server_key
    return {
        "host": sandbox.address_for(request),
        "port": sandbox.mtproto_port,
        "public_key_pem": key.public_pem,
        "fingerprint": key.fingerprint,
        "layer": LAYER,
    }


@router.get("/settings")
async def read_settings(sandbox: Running) -> dict[str, Any]:
    """The settings as they are."""
    return sandbox.telegram.world.settings.as_json()


@router.put("/settings")
async def change_settings(sandbox: Running, body: SettingsChange) -> dict[str, Any]:
    """Change settings; what is left out stays."""
    sandbox.telegram.world.change_settings(body.model_dump(exclude_unset=True))
    sandbox.commit()
    return sandbox.telegram.world.settings.as_json()


@router.get("/limits")
async def read_limits(sandbox: Running) -> dict[str, Any]:
    """The limits as they are."""
    return sandbox.telegram.world.limits.as_json()


@router.put("/limits")
async def change_limits(sandbox: Running, body: LimitsChange) -> dict[str, Any]:
    """Change what this Telegram tolerates; null switches a limit off, what is left out stays."""
    sandbox.telegram.world.change_limits(body.model_dump(exclude_unset=True))
    sandbox.commit()
    return sandbox.telegram.world.limits.as_json()


@router.post("/reset")
async def reset(sandbox: Running) -> dict[str, str]:
    """An empty world; the server's key stays, sessions are logged out."""
    sandbox.telegram.reset()
    sandbox.wire.load()
    sandbox.commit()
    return {"status": "ok"}
