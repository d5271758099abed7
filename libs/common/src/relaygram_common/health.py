"""The pages of a running process: /livez (the event loop turns), /readyz (what it needs is there), /metrics."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from relaygram_common.bounded_http import BoundedHttp, most_connections

Check = Callable[[], Awaitable[None]]
_CHECK_SECONDS = 2.0


class Health:
    """Named checks, each raising when the thing is not there. Not ready until `started` is set."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self.started = False

    def add(self, name: str, check: Check) -> None:
        """Add a check for /readyz."""
        self._checks[name] = check

    async def problems(self) -> dict[str, str]:
        """What is wrong now, by check; empty when ready."""
        if not self.started:
            return {"process": "starting"}
        results = await asyncio.gather(*(self._try(check) for check in self._checks.values()))
        return {name: problem for name, problem in zip(self._checks, results, strict=True) if problem}

    async def _try(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await check()
        except TimeoutError:
            return f"no answer within {_CHECK_SECONDS:.0f} s"
        except Exception as error:  # noqa: BLE001 - whatever a check raises is its answer
            return str(error) or type(error).__name__
        return None

    def routes(self) -> list[Route]:
        """The three pages."""
        return [
            Route("/livez", _live),
            Route("/readyz", self._ready),
            Route("/metrics", _metrics),
        ]

    async def _ready(self, _: Request) -> Response:
        problems = await self.problems()
        names = self._checks if self.started else problems
        checks = {name: problems.get(name, "ok") for name in names}
        return JSONResponse({"status": "unavailable" if problems else "ok", "checks": checks}, 503 if problems else 200)


async def _live(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


def listen(host: str, port: int, *, setting: str) -> socket.socket:
    """A listening socket. Raises OSError whose text names the setting to change."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024
        )
    except OSError as error:
        raise OSError(f"{setting}: can not listen on {host}:{port}: {error.strerror or error}") from None


def http_server(
    app: object, *, shutdown_seconds: float, head_seconds: float = 10.0, trusted_proxies: str = ""
) -> uvicorn.Server:
    """uvicorn without its own logging, lifespan and WebSockets, and with bounds, for `serve(sockets=[…])`.

    `trusted_proxies`: addresses and networks, separated by commas, whose X-Forwarded-For says who called.
    """
    protocol = partial(BoundedHttp, head_seconds=head_seconds, connections=most_connections())
    return uvicorn.Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]  # any ASGI application
            http=protocol,  # type: ignore[arg-type]  # uvicorn only calls it
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=trusted_proxies,
            timeout_graceful_shutdown=int(shutdown_seconds),
        )
    )


def health_app(health: Health) -> Starlette:
    """The pages as an application of their own, for RELAYGRAM_HEALTH_PORT."""
    return Starlette(routes=health.routes())
