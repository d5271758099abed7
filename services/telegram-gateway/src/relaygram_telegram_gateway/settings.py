"""The gateway's settings. Waits are settings, so that tests need not sit through them."""

import ipaddress
from typing import Self

from pydantic import Field, model_validator

from relaygram_common.proxy_address import parse_proxy
from relaygram_common.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """What the environment says; prefix RELAYGRAM_."""

    health_port: int = Field(default=8083, ge=0, le=65535)

    telegram_api_id: int = Field(default=0, ge=0)
    telegram_api_hash: str = Field(default="", repr=False)
    # For accounts that name no proxy of their own.
    telegram_proxy: str = Field(default="", repr=False)
    # Outside production: the only place any client may talk to. An IP literal, since a name would be looked up.
    telegram_sandbox_address: str = ""
    telegram_sandbox_public_key: str = ""

    # One owner per account: the lease dies by itself after this, and its holder stops a margin earlier.
    lease_seconds: int = Field(default=8, ge=2, le=300)
    lease_margin_seconds: float = Field(default=1.0, gt=0)
    accounts_poll_seconds: float = Field(default=1.0, gt=0)

    # How long Telegram surely remembers a random_id. What is older is looked up in the chat before it is sent again.
    random_id_trust_seconds: float = Field(default=60.0, gt=0)
    # How far Telegram's clock may be behind PostgreSQL's.
    lookup_margin_seconds: float = Field(default=60.0, ge=0)
    # After a connection ended: what it still had under way has arrived by then.
    connection_settle_seconds: float = Field(default=0.5, ge=0)

    max_in_flight: int = Field(default=50, ge=1, le=500)
    max_resolves_in_flight: int = Field(default=50, ge=1, le=500)
    max_lookups_in_flight: int = Field(default=20, ge=1, le=500)
    # Files that this process uploads at the same time; each takes some 2 MiB of memory meanwhile.
    max_uploads: int = Field(default=4, ge=1, le=100)
    # One message into the same chat each so many seconds.
    per_chat_seconds: float = Field(default=1.0, ge=0)
    pull_ahead_seconds: float = Field(default=0.3, gt=0)
    # Without a limit on the rate: at most so many jobs in hand.
    max_in_hand: int = Field(default=600, ge=1, le=10_000)
    # An attempt is one admission; whatever happens, a job is not tried more often.
    max_attempts: int = Field(default=100, ge=1)

    telegram_timeout_seconds: float = Field(default=15.0, gt=0)
    connect_timeout_seconds: float = Field(default=20.0, gt=0)
    reconnect_first_seconds: float = Field(default=0.2, gt=0)
    reconnect_cap_seconds: float = Field(default=15.0, gt=0)
    network_retry_first_seconds: float = Field(default=1.0, gt=0)
    # So often Telegram is asked whether something was missed, and what was read.
    catch_up_seconds: float = Field(default=60.0, gt=0)
    # After a connection nothing is sent before what was missed is noted: it may say STOP. At most so long.
    catch_up_wait_seconds: float = Field(default=15.0, gt=0)
    # What a person wrote and nobody decided for so long is told again.
    undecided_seconds: float = Field(default=3600.0, gt=0)
    in_progress_seconds: float = Field(default=2.0, gt=0)
    # PEER_FLOOD: how long the account writes to nobody who did not write first; doubles with each in a row.
    peer_flood_first_seconds: float = Field(default=3600.0, gt=0)
    peer_flood_cap_seconds: float = Field(default=86400.0, gt=0)
    # A wait of the account longer than this: jobs in hand are given back.
    hold_seconds: float = Field(default=10.0, gt=0)

    @model_validator(mode="after")
    def _telegram_or_sandbox(self) -> Self:
        if self.telegram_sandbox_address:
            _ = self.sandbox
            if not self.telegram_sandbox_public_key:
                raise ValueError("RELAYGRAM_TELEGRAM_SANDBOX_PUBLIC_KEY must hold the sandbox's key as PEM")
        elif bool(self.telegram_api_id) != bool(self.telegram_api_hash):
            raise ValueError(
                "give both RELAYGRAM_TELEGRAM_API_ID and RELAYGRAM_TELEGRAM_API_HASH (from my.telegram.org), or neither"
            )
        if self.telegram_proxy:
            try:
                parse_proxy(self.telegram_proxy)
            except ValueError as error:
                raise ValueError(f"RELAYGRAM_TELEGRAM_PROXY {error}") from None
        if self.lease_margin_seconds * 2 >= self.lease_seconds:
            raise ValueError("RELAYGRAM_LEASE_MARGIN_SECONDS must be less than half of RELAYGRAM_LEASE_SECONDS")
        return self

    @property
    def has_telegram(self) -> bool:
        """Whether there is a Telegram to talk to. Without one the gateway runs, and accounts say what is missing."""
        return bool(self.telegram_sandbox_address or self.telegram_api_id)

    @property
    def sandbox(self) -> tuple[str, int] | None:
        """The sandbox's address, if there is one. Raises ValueError when it is not an IP literal with a port."""
        if not self.telegram_sandbox_address:
            return None
        host, _, port = self.telegram_sandbox_address.rpartition(":")
        try:
            literal = ipaddress.ip_address(host.strip("[]"))
            number = int(port)
        except ValueError:
            raise ValueError("RELAYGRAM_TELEGRAM_SANDBOX_ADDRESS must be an IP address and a port") from None
        if not 0 < number < 65536:
            raise ValueError("RELAYGRAM_TELEGRAM_SANDBOX_ADDRESS: the port must be between 1 and 65535")
        return literal.compressed, number
