"""A data folder belongs to one stack at a time and keeps its secrets to itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from relaygram_common.security.sealing import Sealer
from relaygram_local_stack.data_folder import DataFolder
from relaygram_local_stack.errors import StackError


def test_a_second_stack_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = DataFolder(tmp_path).open()
    with pytest.raises(StackError, match=rf"another stack \(process {os.getpid()}\) already runs on"):
        DataFolder(tmp_path).open()
    first.close()
    DataFolder(tmp_path).open().close()


def test_a_lock_that_the_guard_of_a_dead_stack_still_holds_is_waited_for(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path).open()
    assert folder.lock is not None
    holder = subprocess.Popen(
        [sys.executable, "-c", "import time; print('holding', flush=True); time.sleep(0.3)"],
        pass_fds=(folder.lock,),
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        folder.close()
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait(10)
        (tmp_path / "lock").write_text(f"{ended.pid}\n")
        DataFolder(tmp_path).open().close()
        assert holder.poll() is not None


def test_secret_keys_are_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data").open()
    keys = folder.secret_keys()
    assert DataFolder(tmp_path / "data").secret_keys() == keys
    assert Sealer(keys).open(Sealer(keys).seal("text", owner="row"), owner="row") == "text"
    assert (tmp_path / "data" / "secret-keys").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    folder.close()


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"cannot use .*file/data as data folder: Not a directory"):
        DataFolder(tmp_path / "file" / "data").open()
