"""Headers of delivered messages, read when somebody asks: the log-writer asks for those of dead letters only, and
reading all of them was a fifth of its work."""

from collections.abc import Iterator, Mapping
from typing import Any

from nats.aio.client import Client

_LINE = len(b"NATS/1.0")
_SPACE = ord(" ")


class LazyHeaders(Mapping[str, str]):
    """As nats-py would have read them at once."""

    __slots__ = ("_client", "_raw", "_read")

    def __init__(self, client: Client, raw: bytes) -> None:
        self._client = client
        self._raw = raw
        self._read: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._read is None:
            self._read = self._client._parse_header_lines(self._raw[_LINE:])
        return self._read

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def read_headers_lazily(client: Client) -> None:
    """From now on on this connection. What the server itself says in headers (a status) is read at once, as ever."""
    read_now = client._process_headers

    async def read(headers: bytes | None) -> Any:
        if not headers or headers[_LINE] == _SPACE:
            return await read_now(headers)
        return LazyHeaders(client, headers)

    client._process_headers = read  # type: ignore[method-assign]  # nats-py has no hook for this
