"""What every service is told by its environment. One class a service extends it; units stand in the names."""

import os
import socket
import sys
from typing import Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Settings that all services share."""

    model_config = SettingsConfigDict(env_prefix="RELAYGRAM_", extra="ignore", frozen=True)

    nats_url: str = "nats://127.0.0.1:4222"
    postgres_dsn: str = Field(repr=False)
    postgres_pool_size: int = Field(default=8, ge=1, le=100)
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=8081, ge=0, le=65535)
    # `id:base64` of 32 bytes each, newest first, comma-separated: seals sessions, log-in secrets and phones.
    secret_keys: str = Field(default="", repr=False)
    instance: str = Field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    log_format: Literal["console", "json"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    # How long a service may take to finish what is under way when it is told to stop.
    shutdown_seconds: float = Field(default=10.0, gt=0)


Settings = TypeVar("Settings", bound=ServiceSettings)


def load_settings(kind: type[Settings]) -> Settings:
    """Read the environment, or end the process with one line for each variable that is wrong."""
    try:
        return kind()
    except ValidationError as error:
        for problem in error.errors():
            variable = "RELAYGRAM_" + "_".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"{variable}: {problem['msg']}\n")
        raise SystemExit(2) from None
