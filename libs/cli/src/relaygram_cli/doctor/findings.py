"""What a check is asked about, and what it can find."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from relaygram_cli.saved_login import Login


class Wrong(Exception):  # noqa: N818 - a finding, not an error of ours
    """Something is wrong: what, and how to mend it."""

    def __init__(self, said: str, mend: str) -> None:
        super().__init__(said)
        self.mend = mend


class NotChecked(Exception):  # noqa: N818 - a finding, not an error of ours
    """It can not be told from here, and why."""


@dataclass(frozen=True)
class Installation:
    """Where things are, as far as we were told."""

    login: Login
    dsn: str | None = field(default=None, repr=False)
    nats_url: str | None = None
    #: Address of each service's health page, by the service's name.
    health: Mapping[str, str] = field(default_factory=dict)
    #: Where this installation keeps its files.
    folder: Path = Path()
    #: Secrets come from a data folder of `relaygram up`, not from our environment.
    is_local_stack: bool = False


class Check(NamedTuple):
    """A check: gives what is well in words, or raises Wrong or NotChecked."""

    name: str
    run: Callable[[Installation], Awaitable[str]]
    #: Without these it makes no sense.
    needs: tuple[str, ...] = ()
    seconds: float = 10.0


@dataclass(frozen=True)
class Finding:
    """What came of a check."""

    check: str
    status: Literal["ok", "wrong", "not checked"]
    said: str
    mend: str = ""
