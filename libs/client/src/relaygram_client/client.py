"""The client: `async with Relaygram(url, token) as relaygram`."""

from types import TracebackType
from typing import Self

import httpx

from relaygram_client.accounts import Accounts
from relaygram_client.audit import Audit
from relaygram_client.campaigns import Campaigns
from relaygram_client.channel_logs import ChannelLogs
from relaygram_client.contacts import Contacts
from relaygram_client.delivery_events import DeliveryEvents
from relaygram_client.imports import Imports
from relaygram_client.logs import Logs
from relaygram_client.media import Media
from relaygram_client.people import People
from relaygram_client.retries import RetryPolicy
from relaygram_client.send_logs import SendLogs
from relaygram_client.session import Session
from relaygram_client.suppressions import Suppressions
from relaygram_client.tokens import Tokens
from relaygram_client.transport import Transport


class Relaygram:
    """Relaygram's API. Each noun is an attribute; every call may raise RelaygramError."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        token: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        attempts: int = 5,
        longest_wait_seconds: float = 60.0,
        http_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`timeout_seconds` is for one silence of the server; `attempts` counts the first one too."""
        self._transport = Transport(
            url,
            token,
            timeout_seconds=timeout_seconds,
            retries=RetryPolicy(attempts, longest_wait_seconds),
            http_transport=http_transport,
        )
        self.session = Session(self._transport)
        self.tokens = Tokens(self._transport)
        self.accounts = Accounts(self._transport)
        self.logs = Logs(self._transport)
        self.campaigns = Campaigns(self._transport, self.logs)
        self.contacts = Contacts(self._transport)
        self.media = Media(self._transport)
        self.imports = Imports(self._transport)
        self.suppressions = Suppressions(self._transport)
        self.people = People(self._transport)
        self.delivery_events = DeliveryEvents(self._transport)
        self.channel_logs = ChannelLogs(self._transport)
        self.send_logs = SendLogs(self._transport)
        self.audit = Audit(self._transport)

    @property
    def url(self) -> str:
        """Where the API is."""
        return self._transport.url

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
