"""As whom PostgreSQL runs: it refuses to run as root, and root is who owns a container.

Root first tries a user namespace in which it looks like ``nobody`` (65534): files keep their owner, so data
and binaries may lie below folders of mode 700, and nothing on the host changes. Where namespaces are
refused, the real ``nobody`` takes over, in a folder that this user can reach.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from relaygram_local_stack.errors import StackError

_NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534")


@dataclass(frozen=True)
class Account:
    """How to become the user that runs PostgreSQL; all empty means ourselves."""

    prefix: tuple[str, ...] = ()
    user_id: int | None = None
    group_id: int | None = None

    @property
    def is_other_user(self) -> bool:
        """Whether files must change their owner for it."""
        return self.user_id is not None


def choose_account(binaries: Path, folder: Path) -> Account:
    """Ourselves; as root a user namespace if it works with these folders, else ``nobody``."""
    if os.geteuid() != 0:
        return Account()
    if shutil.which("unshare") is not None:
        check = ["test", "-x", str(binaries / "postgres"), "-a", "-w", str(folder)]
        tried = subprocess.run([*_NAMESPACE, *check], check=False, capture_output=True, timeout=10)
        if tried.returncode == 0:
            return Account(prefix=_NAMESPACE)
    return nobody()


def nobody() -> Account:
    """The host's unprivileged user; initdb wants one that has a passwd entry."""
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise StackError(
            "PostgreSQL does not run as root, user namespaces are refused here, and there is no user "
            "'nobody': start it as another user"
        ) from error
    return Account(user_id=entry.pw_uid, group_id=entry.pw_gid)


def reachable_by_others(path: Path) -> bool:
    """Whether any user may enter every folder above the path."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
