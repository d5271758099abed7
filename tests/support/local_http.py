"""HTTP to servers of this machine. Reading the authorities that a client trusts takes 25 ms of CPU for each client, and
whoever waits for a start makes many: here nobody speaks TLS, so none are read."""

import ssl
from typing import Any

import httpx

# uvicorn closes what was idle for 5 s, and so does httpx: a request that is sent in that moment gets no answer.
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)
_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def local_client(**options: Any) -> httpx.AsyncClient:
    """An httpx client for http:// addresses."""
    return httpx.AsyncClient(verify=_TRUSTS_NOBODY, **{"limits": _LIMITS, **options})


async def says_ok(url: str) -> bool:
    """Whether somebody answers 200 there now."""
    async with local_client() as client:
        try:
            return (await client.get(url)).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False
