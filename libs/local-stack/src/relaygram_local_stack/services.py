"""The services and the sandbox as processes: commands, environments, readiness."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relaygram_local_stack.errors import StackError
from relaygram_local_stack.process import ProcessSpec
from relaygram_local_stack.readiness import http_ok

#: Name → (package, role in PostgreSQL), in the order of a message's way.
SERVICES = {
    "api": ("relaygram_api", "relaygram_api"),
    "dispatcher": ("relaygram_dispatcher", "relaygram_dispatcher"),
    "telegram-gateway": ("relaygram_telegram_gateway", "relaygram_gateway"),
    "log-writer": ("relaygram_log_writer", "relaygram_log_writer"),
}

#: A sandbox takes any; the real Telegram must never see them.
SANDBOX_CREDENTIALS = {"RELAYGRAM_TELEGRAM_API_ID": "1", "RELAYGRAM_TELEGRAM_API_HASH": "sandbox"}


@dataclass(frozen=True)
class Sandbox:
    """Where the local Telegram is; the key comes from itself once it runs."""

    mtproto_port: int
    control_port: int

    @property
    def url(self) -> str:
        """The control plane."""
        return f"http://127.0.0.1:{self.control_port}"

    @property
    def address(self) -> str:
        """What clients of Telegram connect to."""
        return f"127.0.0.1:{self.mtproto_port}"

    def spec(self, state: Path, environment: Mapping[str, str]) -> ProcessSpec:
        """The sandbox as a process."""
        options = {
            "--mtproto-port": str(self.mtproto_port),
            "--control-port": str(self.control_port),
            "--state": str(state),
        }
        words = [word for option in options.items() for word in option]
        return ProcessSpec(
            name="sandbox",
            command=(sys.executable, "-m", "relaygram_sandbox", *words),
            environment=environment,
            is_ready=http_ok(self.control_port, "/readyz"),
        )


def check_scale(scale: Mapping[str, int]) -> None:
    """StackError for a service that does not exist or a number that makes no sense."""
    for name, number in scale.items():
        if name not in SERVICES:
            raise StackError(f"there is no service {name!r}; there are: {', '.join(SERVICES)}")
        if not 1 <= number <= 16:
            raise StackError(f"{name}={number}: give a number from 1 to 16")


def instances(scale: Mapping[str, int]) -> list[tuple[str, str]]:
    """(process name, service) of everything that shall run; the first of a service bears its plain name."""
    return [
        (service if number == 1 else f"{service}-{number}", service)
        for service in SERVICES
        for number in range(1, scale.get(service, 1) + 1)
    ]


def service_spec(name: str, service: str, health_port: int, environment: Mapping[str, str]) -> ProcessSpec:
    """One process of a service."""
    package, _ = SERVICES[service]
    own = {
        "RELAYGRAM_INSTANCE": name,
        "RELAYGRAM_HEALTH_HOST": "127.0.0.1",
        "RELAYGRAM_HEALTH_PORT": str(health_port),
    }
    return ProcessSpec(
        name=name,
        command=(sys.executable, "-m", package),
        environment={**environment, **own},
        is_ready=http_ok(health_port, "/readyz"),
        stop_seconds=15.0,  # a service gives itself 10 s to finish what it has in hand
    )


def shared_environment(given: Mapping[str, str], secret_keys: str) -> dict[str, str]:
    """What every process gets: our own environment and what was given, over the defaults of a local stack."""
    defaults = {
        "RELAYGRAM_LOG_FORMAT": "console",
        "RELAYGRAM_SECRET_KEYS": secret_keys,
        "RELAYGRAM_API_HOST": "127.0.0.1",
        "RELAYGRAM_WEBHOOKS_ALLOW_PRIVATE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    return {**defaults, **os.environ, **given}
