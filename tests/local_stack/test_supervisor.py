"""The supervisor keeps parts running and stops them: with tiny real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from relaygram_local_stack.errors import StackError
from relaygram_local_stack.guard import Guard
from relaygram_local_stack.restart import RestartDelays
from relaygram_local_stack.supervisor import Supervisor
from tests.local_stack.processes import RecordedOutput, runs, script, web_server
from tests.support.waiting import eventually


@pytest.fixture
def output() -> RecordedOutput:
    return RecordedOutput()


@pytest.fixture
async def supervisor(output: RecordedOutput) -> AsyncIterator[Supervisor]:
    guard = Guard()
    guard.start()
    made = Supervisor(output, guard)
    yield made
    await made.stop()
    guard.close()


async def test_a_stage_is_started_when_all_its_parts_are_ready(
    supervisor: Supervisor, free_port: Callable[[], int], tmp_path: Path
) -> None:
    await supervisor.start([web_server("one", free_port(), tmp_path), web_server("two", free_port(), tmp_path)])
    assert set(supervisor.pids) == {"one", "two"}
    assert all(runs(pid) for pid in supervisor.pids.values())


async def test_what_dies_is_restarted_at_once_and_on_the_same_port(
    supervisor: Supervisor, output: RecordedOutput, free_port: Callable[[], int], tmp_path: Path
) -> None:
    spec = web_server("one", free_port(), tmp_path)
    await supervisor.start([spec])
    before = supervisor.pids["one"]
    os.kill(before, signal.SIGKILL)
    await eventually(lambda: supervisor.pids.get("one") not in (None, before), timeout=5)
    after = supervisor.pids["one"]
    await eventually(lambda: spec.is_ready(after), timeout=5)
    assert output.notes == ["one stopped (SIGKILL), restarting now"]


async def test_every_change_of_pids_is_told(
    output: RecordedOutput, free_port: Callable[[], int], tmp_path: Path
) -> None:
    seen: list[dict[str, int]] = []

    def remember() -> None:
        seen.append(watched.pids)

    watched = Supervisor(output, Guard(), remember)
    await watched.start([web_server("one", free_port(), tmp_path)])
    os.kill(watched.pids["one"], signal.SIGKILL)
    await eventually(lambda: len(seen) == 2)
    await watched.stop()
    assert seen[0] != seen[1]


async def test_what_never_gets_ready_is_told_with_its_last_words(
    supervisor: Supervisor, output: RecordedOutput
) -> None:
    broken = script("broken", "print('no server answers'); raise SystemExit(1)", lambda _pid: False)
    with pytest.raises(StackError, match=r"broken stopped \(exit status 1\) before .* ready: no server answers$"):
        await supervisor.start([broken])
    assert len(output.notes) == 2


async def test_a_refused_setting_is_not_tried_again(supervisor: Supervisor, output: RecordedOutput) -> None:
    broken = script("broken", "print('the setting is wrong'); raise SystemExit(2)", lambda _pid: False)
    with pytest.raises(StackError, match=r"broken stopped \(exit status 2\) .* setting is wrong$"):
        await supervisor.start([broken])
    assert output.notes == []


async def test_what_cannot_be_started_at_all_is_told(supervisor: Supervisor, tmp_path: Path) -> None:
    missing = replace(script("missing", ""), prefix=(str(tmp_path / "no-such-program"),))
    with pytest.raises(StackError, match=r"missing could not be started .*No such file"):
        await supervisor.start([missing])


async def test_who_is_late_is_named(supervisor: Supervisor) -> None:
    late = script("late", "import time; time.sleep(60)", lambda _pid: False)
    with pytest.raises(StackError, match=r"not ready after 0\.2 s: late"):
        await supervisor.start([late], timeout_seconds=0.2)


async def test_stages_stop_in_reverse_order(supervisor: Supervisor, output: RecordedOutput) -> None:
    says_bye = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(0)))\n"
        "print('ready')\n"
        "while True: time.sleep(60)"
    )

    def has_said(name: str) -> Callable[[int], bool]:
        return lambda _pid: (name, "ready") in output.lines

    for name in ("first", "second", "third"):
        await supervisor.start([script(name, says_bye, has_said(name))])
    pids = supervisor.pids
    await supervisor.stop()
    assert [name for name, text in output.lines if text == "bye"] == ["third", "second", "first"]
    assert not any(runs(pid) for pid in pids.values())
    assert output.notes == []


async def test_who_ignores_the_signal_is_killed_with_its_children(
    supervisor: Supervisor, output: RecordedOutput
) -> None:
    stubborn = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid)\n"
        "time.sleep(60)"
    )
    await supervisor.start([script("stubborn", stubborn, lambda _pid: bool(output.lines))])
    child = int(output.lines[0][1])
    await supervisor.stop()
    await eventually(lambda: not runs(child), timeout=5)
    assert output.notes == ["stubborn did not stop within 0.5 s, killing it"]


async def test_a_long_line_and_bytes_that_are_no_text_are_handed_on(
    supervisor: Supervisor, output: RecordedOutput
) -> None:
    code = (
        "import sys, time\n"
        "sys.stdout.buffer.write(b'x' * 200_000 + b'\\n\\xff\\xfe\\nend\\n'); sys.stdout.buffer.flush()\n"
        "time.sleep(60)"
    )
    await supervisor.start([script("loud", code)])
    await eventually(lambda: ("loud", "end") in output.lines)
    assert "".join(text for _, text in output.lines).count("x") == 200_000


def test_restarts_wait_longer_and_longer_until_the_part_was_healthy() -> None:
    delays = RestartDelays()
    waits = [delays.after(0) for _ in range(8)]
    assert waits == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert delays.after(10.0) == 0.0
    assert delays.after(9.9) == 0.2


@pytest.mark.parametrize("guard_is_killed_first", [False, True])
def test_nothing_outlives_a_killed_supervisor(tmp_path: Path, guard_is_killed_first: bool) -> None:
    """Both nets hold alone: the guard (parts that the kernel does not end), the kernel (no guard)."""
    code = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from relaygram_local_stack.guard import Guard\n"
        "from relaygram_local_stack.ports import free_port\n"
        "from relaygram_local_stack.supervisor import Supervisor\n"
        "from tests.local_stack.processes import RecordedOutput, script, web_server\n"
        "async def main():\n"
        "    guard = Guard(); guard.start()\n"
        "    supervisor = Supervisor(RecordedOutput(), guard)\n"
        "    await supervisor.start([web_server('one', free_port(), Path(sys.argv[1])),\n"
        "        script('deaf', 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)')])\n"
        "    pids = supervisor.pids\n"
        "    print(pids['one'], pids['deaf'], guard.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        one, deaf, guard = (int(word) for word in parent.stdout.readline().split())
        if guard_is_killed_first:
            os.kill(guard, signal.SIGKILL)
        parent.kill()
    deadline = time.monotonic() + 2.0
    watched = {one} if guard_is_killed_first else {one, deaf, guard}
    while any(runs(pid) for pid in watched) and time.monotonic() < deadline:
        time.sleep(0.01)
    left = [pid for pid in watched if runs(pid)]
    if runs(deaf):
        os.kill(deaf, signal.SIGKILL)
    assert left == []
