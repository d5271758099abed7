"""The peer of the API's benchmark: one Starlette route that returns given bytes, behind the same server.

`python -m benchmarks.bare_starlette PORT` answers GET / with the bytes that it read from stdin, until told to stop.
"""

import asyncio
import sys

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relaygram_common.health import http_server, listen


async def _serve(port: int, body: bytes) -> None:
    async def answer(_: Request) -> Response:
        return Response(body, media_type="application/json")

    server = http_server(Starlette(routes=[Route("/", answer)]), shutdown_seconds=1)
    await server.serve(sockets=[listen("127.0.0.1", port, setting="PORT")])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), sys.stdin.buffer.read()))
