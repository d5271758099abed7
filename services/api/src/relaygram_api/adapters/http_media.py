"""Fetches a file whose address a caller gives: never from our own network, never for ever.

The name is resolved once, every address of it is checked, and the connection goes to one of these addresses: a name
that answers differently the second time leads nowhere. Each redirect is treated as a new address.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

import httpx

from relaygram_api.core.public_address import is_public

_MOST_REDIRECTS = 3
_MOST_ADDRESSES = 4
_AT_ONCE = 8
_LONGEST_ADDRESS = 2048
_PORTS = {"http": 80, "https": 443}

# Hands each piece of what is at an address to a function. Raises FetchError.
FetchMedia = Callable[[str, Callable[[bytes], Awaitable[None]]], Awaitable[None]]


class FetchError(ValueError):
    """Why it can not be had, in words for who gave the address."""


class _Fetcher:
    def __init__(
        self, client: httpx.AsyncClient, resolvers: ThreadPoolExecutor, *, seconds: float, allow_private: bool
    ) -> None:
        self._client = client
        self._resolvers = resolvers
        self._seconds = seconds
        self._allow_private = allow_private
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, address: str, write: Callable[[bytes], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(self._seconds), self._room:
                await self._follow(_parsed(address), write)
        except TimeoutError:
            raise FetchError(f"took longer than {self._seconds:g} s") from None
        except httpx.TransportError as error:
            raise FetchError(f"can not be read: {str(error) or type(error).__name__}") from None

    async def _follow(self, url: httpx.URL, write: Callable[[bytes], Awaitable[None]]) -> None:
        for _ in range(_MOST_REDIRECTS + 1):
            async with self._answer(url) as answer:
                if not answer.has_redirect_location:
                    await _read(answer, write)
                    return
                url = _parsed(str(url.join(answer.headers["location"])))
        raise FetchError(f"redirects more than {_MOST_REDIRECTS} times")

    @asynccontextmanager
    async def _answer(self, url: httpx.URL) -> AsyncIterator[httpx.Response]:
        host = url.raw_host.decode()
        for place, address in enumerate(addresses := await self._resolved(url)):
            request = self._client.build_request(
                "GET",
                url.copy_with(host=address),
                headers={"Host": url.netloc.decode(), "Accept": "*/*", "Accept-Encoding": "identity"},
                extensions={"sni_hostname": host},  # the certificate must be the name's
            )
            try:
                answer = await self._client.send(request, stream=True)
            except httpx.ConnectError:
                if place + 1 < len(addresses):
                    continue
                raise
            try:
                yield answer
            finally:
                await answer.aclose()
            return

    async def _resolved(self, url: httpx.URL) -> list[str]:
        port = url.port or _PORTS[url.scheme]
        try:
            found = await asyncio.get_running_loop().run_in_executor(
                self._resolvers,
                partial(socket.getaddrinfo, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP),
                url.raw_host.decode(),
                port,
            )
        except (OSError, UnicodeError):
            raise FetchError("names a host that can not be found") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not addresses or not (self._allow_private or all(map(is_public, addresses))):
            raise FetchError("leads to an address that is not public")
        return addresses[:_MOST_ADDRESSES]


@asynccontextmanager
async def media_fetcher(*, seconds: float, allow_private: bool) -> AsyncIterator[FetchMedia]:
    """A fetcher with connections of its own, none of which is used twice: each is to a name that was just checked."""
    limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=0)
    timeout = httpx.Timeout(seconds, connect=min(5.0, seconds))
    async with httpx.AsyncClient(limits=limits, timeout=timeout, trust_env=False, follow_redirects=False) as client:
        # Threads of its own: who waits for a name server that never answers holds up nothing but other fetches.
        resolvers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="media-names")
        try:
            yield _Fetcher(client, resolvers, seconds=seconds, allow_private=allow_private).fetch
        finally:
            resolvers.shutdown(wait=False, cancel_futures=True)


def _parsed(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, TypeError, UnicodeError):
        raise FetchError("is not an address like https://example.com/photo.jpg") from None
    if url.scheme not in _PORTS or not url.host or len(address) > _LONGEST_ADDRESS:
        raise FetchError("is not an address like https://example.com/photo.jpg")
    if url.userinfo:
        raise FetchError("must not hold a user or password")
    return url


async def _read(answer: httpx.Response, write: Callable[[bytes], Awaitable[None]]) -> None:
    if answer.status_code != httpx.codes.OK:
        raise FetchError(f"is answered with {answer.status_code}")
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchError("is sent compressed, though we asked for it as it is")
    async for piece in answer.aiter_raw():
        await write(piece)
