"""What the api is told by its environment."""

import re

from pydantic import Field, field_validator

from relaygram_common.settings import ServiceSettings

_ORIGIN = re.compile(r"https?://[^/?#,@\s]+")


class ApiSettings(ServiceSettings):
    """Settings of the api."""

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=0, le=65535)
    # Given in stacks with a sandbox: accounts may then be without limits, as no real Telegram minds.
    telegram_sandbox_address: str | None = None
    # Requests a minute and token, twice as many in a burst; 0 is no limit.
    rate_limit_per_minute: int = Field(default=120, ge=0, le=1_000_000)
    # The same for the channel logs and the send logs, a workspace; as many at once.
    channel_logs_per_minute: int = Field(default=120, ge=0, le=1_000_000)
    send_logs_per_minute: int = Field(default=50, ge=0, le=1_000_000)
    login_failures_per_minute: int = Field(default=5, ge=1, le=10_000)
    # Proxies that say in X-Forwarded-For who called: addresses and networks. Anybody else's word counts for nothing.
    trusted_proxies: str = ""
    max_json_bytes: int = Field(default=1024 * 1024, ge=1024)
    max_csv_bytes: int = Field(default=256 * 1024 * 1024, ge=1024)
    max_media_bytes: int = Field(default=20 * 1024 * 1024, ge=1024, le=1024 * 1024 * 1024)
    # Media by address: for so long, and from public addresses only, unless all are allowed (tests, closed networks).
    media_fetch_seconds: float = Field(default=30.0, gt=0, le=120)
    media_allow_private: bool = False
    max_import_lines: int = Field(default=1_000_000, ge=1)
    # A request whose line and headers are not there by then is given up.
    request_head_seconds: float = Field(default=10.0, gt=0)
    # An upload that stands still for so long is given up.
    upload_idle_seconds: float = Field(default=30.0, gt=0)
    # A worker that has not renewed its import for so long is taken for dead, and another one repeats the work.
    import_lease_seconds: float = Field(default=30.0, gt=0)
    import_poll_seconds: float = Field(default=1.0, gt=0)
    # A request under an Idempotency-Key whose process is silent for so long is taken for dead: its key works again.
    idempotency_lease_seconds: float = Field(default=30.0, gt=0, le=60)
    # Live streams: silence is filled so often; a client that takes nothing for so long is cut off; a stream ends after
    # so long, so that clients spread over the processes there are; how many a token and a process may have at once.
    stream_heartbeat_seconds: float = Field(default=15.0, gt=0, le=3600)
    stream_send_seconds: float = Field(default=10.0, gt=0, le=3600)
    stream_max_seconds: float = Field(default=14_400.0, gt=0)
    streams_per_token: int = Field(default=10, ge=1, le=10_000)
    max_streams: int = Field(default=1000, ge=1, le=10_000)
    # Exports of the log: how many a token and a process may have at once; a client that takes nothing for so long is
    # cut off; while PostgreSQL is away they wait for so long.
    exports_per_token: int = Field(default=2, ge=1, le=1000)
    max_exports: int = Field(default=8, ge=1, le=1000)
    export_send_seconds: float = Field(default=30.0, gt=0, le=3600)
    export_retry_seconds: float = Field(default=30.0, gt=0, le=3600)
    # Pages of these origins, separated by commas, may open live streams with a ticket.
    cors_origins: str = ""
    # PostgreSQL counts as away when it has not answered a trivial statement within this time.
    database_answer_seconds: float = Field(default=1.8, gt=0)

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, text: str) -> str:
        if wrong := [origin for origin in _listed(text) if not _ORIGIN.fullmatch(origin)]:
            raise ValueError(f"{wrong[0]!r} is no origin, such as https://dashboard.example.com")
        return text

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The origins, as browsers name them."""
        return frozenset(_listed(self.cors_origins))


def _listed(text: str) -> list[str]:
    return [one.strip().lower() for one in text.split(",") if one.strip()]
