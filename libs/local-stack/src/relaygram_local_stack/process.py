"""A process as data: what to start, how to know that it is ready, how to stop it."""

import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class ProcessSpec:
    """One part of the stack."""

    name: str
    command: tuple[str, ...]
    #: Asked with the pid of the process that was started; blocks for a few seconds at most (it runs in a thread).
    is_ready: Callable[[int], bool]
    #: The whole environment of the process; empty means that of the supervisor.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: A command that runs the rest in changed circumstances (``unshare …``).
    prefix: tuple[str, ...] = ()
    #: Called before each start: whatever a killed predecessor may have left behind is put right here.
    before_start: Callable[[], None] | None = None
    #: Lines that contain this word are not shown (a server's account of its own start).
    hidden_word: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    #: Whom to run it as, when not as ourselves.
    user_id: int | None = None
    group_id: int | None = None

    def full_command(self) -> list[str]:
        """The command with the launcher that binds its life to ours, where the system can do that.

        The launcher stands behind the prefix: a change of credentials takes the binding away.
        """
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(int(self.stop_signal))]
        if self.user_id is not None:
            return [*self.prefix, *self.command]  # that user may be unable to read our interpreter
        return [*self.prefix, *launcher, *self.command]
