"""What a started stack tells the world: addresses, a token, and which process is which."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from relaygram_local_stack.private_file import write_private


@dataclass(frozen=True)
class ReadyInfo:
    """Of all these only ``pids`` ever changes while a stack runs."""

    api_url: str
    token: str
    nats_url: str
    postgres_dsn: str
    sandbox_url: str | None
    health: dict[str, str]
    pids: dict[str, int]

    def write(self, path: Path) -> None:
        """Write it as JSON: atomically, and for the owner's eyes only."""
        write_private(path, json.dumps(asdict(self), indent=2) + "\n")
