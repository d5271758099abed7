"""Ends the parts of a stack when their supervisor dies, whatever it dies of: ``guard_process.py < pipe``.

Only the supervisor holds the pipe's other end, so its end is the end of the supervisor. Lines on the pipe:
``+PID SIGNAL`` a part (leader of its own session) has started, ``-PID`` it is gone. Stands alone (standard
library, -I -S), and holds the data folder's lock until everybody is gone.
"""

import os
import signal
import sys
import time

GRACE_SECONDS = 1.0
_POLL_SECONDS = 0.02


def _signal_group(leader: int, signal_number: int) -> bool:
    try:
        os.killpg(leader, signal_number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group of which only zombies are left
        return False
    return True


def end_all(groups: dict[int, int]) -> None:
    """Ask every group to stop, wait a little, then end by force what is left."""
    left = [leader for leader, wanted in groups.items() if _signal_group(leader, wanted)]
    deadline = time.monotonic() + GRACE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        left = [leader for leader in left if _signal_group(leader, 0)]
    for leader in left:
        _signal_group(leader, signal.SIGKILL)


def main() -> None:
    """Follow the pipe to its end, then end what is still running."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin.buffer:
        words = line.decode().split()
        if words and words[0].startswith("+"):
            groups[int(words[0])] = int(words[1])
        elif words:
            groups.pop(-int(words[0]), None)
    end_all(groups)


if __name__ == "__main__":
    main()
