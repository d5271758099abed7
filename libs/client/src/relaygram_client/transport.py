"""One HTTP call to the API: address, token, timeouts, trying again, and errors as exceptions."""

import asyncio
import ipaddress
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import version
from typing import Any, TypeVar

import httpx

from relaygram_client.answers import NEVER_SENT, as_error, no_answer, parsed
from relaygram_client.retries import RetryPolicy, retry_after_seconds

PREFIX = "/api/v1"
_REPEATABLE_METHODS = frozenset({"GET", "PUT", "DELETE"})
# The first request with this key is still under way: its answer will be there soon.
_STILL_RUNNING = "idempotency_key_in_use"
_CONNECT_SECONDS = 5.0

Part = TypeVar("Part")
Query = Mapping[str, Any]
#: Makes the body anew for each attempt; None of a body that can be had only once.
Body = Callable[[], AsyncIterable[bytes]]


class Transport:
    """Calls the API. Not for users: see client.py."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        timeout_seconds: float,
        retries: RetryPolicy,
        http_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.token = token
        self.url = checked_url(url)
        self.retries = retries
        self._http = httpx.AsyncClient(
            base_url=self.url,
            timeout=httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
            headers={"User-Agent": f"relaygram-client/{version('relaygram-client')}", "Accept": "application/json"},
            follow_redirects=False,  # the token goes to the address that was given and to no other
            trust_env=not _is_this_machine(self.url),
            transport=http_transport,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Any = None,
        if_match: str | None = None,
        prefix: str = PREFIX,
    ) -> Any:
        """The parsed JSON of the answer; None when it has no body. A POST gets an Idempotency-Key of its own."""
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        if if_match is not None:
            headers["If-Match"] = if_match
        # A change on a condition is not repeated without a key: having happened, it would no longer meet it.
        repeatable = method == "POST" or (if_match is None and method in _REPEATABLE_METHODS)
        return parsed(
            await self._attempts(method, path, headers, query=query, json=json, repeatable=repeatable, prefix=prefix)
        )

    async def search(self, path: str, *, json: Any, prefix: str) -> Any:
        """The parsed JSON of a POST that only reads."""
        return parsed(await self._attempts("POST", path, {}, json=json, repeatable=True, prefix=prefix))

    async def read_with_etag(self, path: str) -> tuple[Any, str]:
        """The parsed JSON of a GET, and what to give as `if_match` to change only what was read."""
        response = await self._attempts("GET", path, {}, repeatable=True)
        return parsed(response), response.headers.get("etag", "")

    async def call_once(self, method: str, path: str, *, json: Any = None) -> Any:
        """The same for what may not be repeated once it was sent."""
        return parsed(await self._attempts(method, path, {}, json=json, repeatable=False))

    async def upload(self, path: str, body: Body, content_type: str, *, repeatable: bool) -> Any:
        """POST a streamed body; `repeatable`: `body` can be called again, else there is one attempt only."""
        headers = {"Content-Type": content_type, "Idempotency-Key": str(uuid.uuid4())}
        retries = self.retries if repeatable else RetryPolicy(attempts=1)
        return parsed(await self._attempts("POST", path, headers, body=body, repeatable=repeatable, retries=retries))

    @asynccontextmanager
    async def download(self, path: str, *, query: Query | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body of a GET in pieces."""
        async with self.opened(path, {"Accept": "*/*"}, query=query) as response:
            yield self.reading(response.aiter_bytes())

    @asynccontextmanager
    async def opened(
        self, path: str, headers: Mapping[str, str], *, query: Query | None = None, silence_seconds: float | None = None
    ) -> AsyncIterator[httpx.Response]:
        """The answer to a GET, whose body is still to come, to be read by `reading`; one attempt.

        After `silence_seconds` without a byte it is given up.
        """
        request = self._request("GET", path, headers, query=query)
        if silence_seconds is not None:
            request.extensions["timeout"] = {**request.extensions["timeout"], "read": silence_seconds}
        try:
            response = await self._http.send(request, stream=True)
        except httpx.TransportError as error:
            raise no_answer(self.url, error) from error
        try:
            if response.status_code != httpx.codes.OK:
                raise await self._refusal(response)
            yield response
        finally:
            await response.aclose()

    async def reading(self, parts: AsyncIterable[Part]) -> AsyncIterator[Part]:
        """What comes of such an answer. Raises NoAnswerError when it breaks off."""
        try:
            async for part in parts:
                yield part
        except httpx.TransportError as error:
            raise no_answer(self.url, error) from error

    async def _refusal(self, response: httpx.Response) -> Exception:
        try:
            await response.aread()
        except httpx.TransportError as error:
            return no_answer(self.url, error)
        return as_error(response)

    async def _attempts(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        repeatable: bool,
        query: Query | None = None,
        json: Any = None,
        body: Body | None = None,
        retries: RetryPolicy | None = None,
        prefix: str = PREFIX,
    ) -> httpx.Response:
        retries = retries or self.retries
        attempt, maybe_done = 0, False
        while True:
            attempt += 1
            content = body() if body else None
            request = self._request(method, path, headers, query=query, json=json, content=content, prefix=prefix)
            try:
                response = await self._http.send(request)
            except httpx.TransportError as error:
                sent = not isinstance(error, NEVER_SENT)
                maybe_done = maybe_done or sent
                wait = retries.wait_after_failure(sent=sent, attempt=attempt, repeatable=repeatable)
                if wait is None:
                    raise no_answer(self.url, error) from error
            else:
                if response.is_success or (method == "DELETE" and maybe_done and response.status_code == 404):
                    return response  # the second: gone by the attempt whose answer was lost
                wait = _wait_after(response, retries, attempt, repeatable=repeatable)
                if wait is None:
                    raise as_error(response)
                maybe_done = maybe_done or response.status_code != 429
            await asyncio.sleep(wait)

    def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: Query | None = None,
        json: Any = None,
        content: AsyncIterable[bytes] | None = None,
        prefix: str = PREFIX,
    ) -> httpx.Request:
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        given = {name: as_text(value) for name, value in (query or {}).items() if value is not None}
        return self._http.build_request(
            method, f"{prefix}{path}", params=given, json=json, content=content, headers={**authorization, **headers}
        )


def checked_url(url: str) -> str:
    """The address without a slash at its end. Raises ValueError."""
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parts = httpx.URL()
    if parts.scheme not in ("http", "https") or not parts.host or parts.userinfo or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not an address like https://relaygram.example.com")
    return str(parts).rstrip("/").removesuffix(PREFIX)


def as_text(value: Any) -> Any:
    """A value of a query as the API reads it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _wait_after(response: httpx.Response, retries: RetryPolicy, attempt: int, *, repeatable: bool) -> float | None:
    status = response.status_code
    if status == 409 and repeatable and getattr(as_error(response), "code", "") == _STILL_RUNNING:
        status = 503
    return retries.wait_after_answer(
        status, retry_after_seconds(response.headers.get("retry-after")), attempt=attempt, repeatable=repeatable
    )


def _is_this_machine(url: str) -> bool:
    """No proxy of the environment stands between us and ourselves."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
