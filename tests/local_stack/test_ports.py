"""Ports are free when they are drawn, and the same again at the next start."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from relaygram_local_stack.errors import StackError
from relaygram_local_stack.ports import HIGHEST, LOWEST, PortBook, is_free, reserve


@pytest.fixture
def listener(free_port: Callable[[], int]) -> socket.socket:
    return socket.create_server(("127.0.0.1", free_port()))


def test_kept_ports_are_taken_again(tmp_path: Path) -> None:
    first = PortBook(tmp_path / "ports.json")
    ports = {name: first.take(name) for name in ("api", "nats", "sandbox")}
    first.save()
    again = PortBook(tmp_path / "ports.json")
    assert {name: again.take(name) for name in ports} == ports
    assert len(set(ports.values())) == 3
    assert all(LOWEST <= port <= HIGHEST for port in ports.values())


def test_a_kept_port_that_somebody_took_is_replaced(tmp_path: Path, listener: socket.socket) -> None:
    taken = listener.getsockname()[1]
    (tmp_path / "ports.json").write_text(f'{{"api": {taken}}}')
    with listener:
        assert not is_free(taken)
        assert PortBook(tmp_path / "ports.json").take("api") != taken


def test_a_wanted_port_that_somebody_took_is_an_error(tmp_path: Path, listener: socket.socket) -> None:
    taken = listener.getsockname()[1]
    with listener, pytest.raises(StackError, match=f"port {taken} for api is taken"):
        PortBook(tmp_path / "ports.json").take("api", taken)


def test_one_port_is_not_given_twice(tmp_path: Path, free_port: Callable[[], int]) -> None:
    book, port = PortBook(tmp_path / "ports.json"), free_port()
    book.take("api", port)
    with pytest.raises(StackError, match="is taken"):
        book.take("sandbox control", port)


@pytest.mark.parametrize("text", ["", "[1]", '{"api": "x"}'])
def test_a_broken_file_of_ports_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    with pytest.raises(StackError, match=r"ports\.json is not"):
        PortBook(tmp_path / "ports.json")


def test_a_port_that_was_drawn_is_kept_from_other_processes_until_the_end() -> None:
    draw = "from relaygram_local_stack.ports import free_port, reserve; import sys; "
    command = [sys.executable, "-c", draw + "print(free_port(), flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert not reserve(port)
        other.communicate()
    assert reserve(port)
