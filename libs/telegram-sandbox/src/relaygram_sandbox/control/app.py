"""Puts the control plane together: routes, and errors as {"message"}."""

import logging
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException as StarletteHTTPException

from relaygram_sandbox.control import faults, people, record, world
from relaygram_sandbox.control.access import Sandbox

log = logging.getLogger(__name__)
_UNION_TAGS = {"one", "list"}


def build_control(sandbox: Sandbox) -> FastAPI:
    """The application; every route runs on the event loop that also serves the clients."""
    # Its pages bring what they need along: a sandbox is often used where there is no internet.
    app = FastAPIOffline(title="Relaygram sandbox", description="A local Telegram and its control plane.")
    app.state.sandbox = sandbox
    for part in (world, people, record, faults):
        app.include_router(part.router)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(Exception, _failed)
    return app


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    if isinstance(error.body, bytes) and "json" not in request.headers.get("content-type", ""):
        return JSONResponse({"message": "send the body as Content-Type: application/json"}, status_code=422)
    return JSONResponse({"message": "; ".join(map(_said, error.errors()[:5]))}, status_code=422)


def _said(problem: dict[str, Any]) -> str:
    if problem["type"] == "json_invalid":
        return "the body is not JSON"
    steps = [str(step) for step in problem["loc"][1:] if step not in _UNION_TAGS]
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(steps) or problem['loc'][0]}: {text}"


def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException | StarletteHTTPException)  # noqa: S101 - registered for nothing else
    return JSONResponse({"message": error.detail}, status_code=error.status_code, headers=error.headers)


def _failed(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"message": "the sandbox failed; its log says why"}, status_code=500)
