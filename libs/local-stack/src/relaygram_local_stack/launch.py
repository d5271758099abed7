"""Become another program that gets a signal when the parent dies: ``launch.py SIGNAL COMMAND…``.

Stands alone (only the standard library, started with -I -S): it costs 10 ms and then is gone.
Where the system has no such thing, the guard process alone sees to it.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for the signal, then become the command."""
    parent = os.getppid()
    signal_number, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # died before we asked: nobody is left to send the signal
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - becoming the command, without a shell, is its whole purpose


if __name__ == "__main__":
    main()
