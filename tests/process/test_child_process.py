from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dequeuer.process.child_process import ChildProcess, ProcessSpec

IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ignores", flush=True)
time.sleep(600)
"""
HANDLES_SIGTERM = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"bye\\n"), sys.exit(3)))
print("here", flush=True)
time.sleep(600)
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", %r])
print("grandchild", child.pid, flush=True)
%s
"""


def spec(code: str, *, grace_s: float = 60.0, on_line: Callable[[str], None] = lambda _line: None) -> ProcessSpec:
    command = [sys.executable, "-c", code]
    return ProcessSpec(
        name="child", command=command, environment=dict(os.environ), stop_grace_s=grace_s, on_line=on_line
    )


async def start(code: str, *, grace_s: float = 60.0) -> tuple[ChildProcess, asyncio.Queue[str]]:
    lines: asyncio.Queue[str] = asyncio.Queue()
    return await ChildProcess.start(spec(code, grace_s=grace_s, on_line=lines.put_nowait)), lines


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie counts as ended: its new parent has not read its status yet.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int) -> None:
    async with asyncio.timeout(30):
        while is_alive(pid):  # noqa: ASYNC110 - the end of another process's child cannot be awaited
            await asyncio.sleep(0.01)


async def test_lines_and_exit_status_are_reported() -> None:
    child, lines = await start("import sys; print('one'); print('two', file=sys.stderr); sys.exit(7)")
    assert await child.wait() == 7
    assert sorted([lines.get_nowait(), lines.get_nowait()]) == ["one", "two"]
    told = child.describe_end()
    assert told.startswith("child ended with exit status 7. Its last lines:\n")
    assert "    two" in told
    await child.stop(asyncio.Event())


async def test_a_process_that_handles_sigterm_ends_by_itself_and_its_output_is_read() -> None:
    child, lines = await start(HANDLES_SIGTERM)
    assert await lines.get() == "here"
    await child.stop(asyncio.Event())
    assert await child.wait() == 3
    assert lines.get_nowait() == "bye"


async def test_a_process_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    child, lines = await start(IGNORES_SIGTERM, grace_s=0.05)
    assert await lines.get() == "ignores"
    await child.stop(asyncio.Event())
    assert await child.wait() == -signal.SIGKILL
    assert "was killed by SIGKILL" in child.describe_end()


async def test_stop_now_skips_the_grace() -> None:
    child, lines = await start(IGNORES_SIGTERM, grace_s=3600)
    assert await lines.get() == "ignores"
    stop_now = asyncio.Event()
    stopping = asyncio.create_task(child.stop(stop_now))
    await asyncio.sleep(0)
    assert not stopping.done()
    stop_now.set()
    await stopping
    assert await child.wait() == -signal.SIGKILL


async def test_grandchildren_end_with_it() -> None:
    child, lines = await start(PARENT % (IGNORES_SIGTERM, "child.wait()"))
    pid = int((await lines.get()).split()[1])
    assert await lines.get() == "ignores"
    assert is_alive(pid)
    await child.stop(asyncio.Event())
    await gone(pid)


async def test_grandchildren_of_a_process_that_ends_by_itself_end_with_it() -> None:
    child, lines = await start(
        PARENT % (IGNORES_SIGTERM, "sys.stdin = None; import time; time.sleep(0.2); sys.exit(1)")
    )
    pid = int((await lines.get()).split()[1])
    assert await child.wait() == 1
    await gone(pid)
    await child.stop(asyncio.Event())


async def test_a_missing_command_exits_127_with_a_message() -> None:
    missing = ProcessSpec(
        name="container", command=["no-such-server"], environment={}, stop_grace_s=1.0, on_line=lambda _line: None
    )
    child = await ChildProcess.start(missing)
    assert await child.wait() == 127
    assert "cannot start no-such-server: No such file or directory" in child.describe_end()
    await child.stop(asyncio.Event())


async def test_output_is_bounded() -> None:
    child, _ = await start("import sys\nsys.stdout.write('x' * 3_000_000)\nfor n in range(5000): print('line', n)")
    assert await child.wait() == 0
    assert len(child.output.tail) == 200
    assert child.output.tail[-1] == "line 4999"
    assert all(len(line) <= 2000 for line in child.output.tail)
    assert len(child.describe_end()) < 2000
    await child.stop(asyncio.Event())


async def test_output_cannot_move_the_cursor() -> None:
    child, lines = await start(r"print('\x1b[2Jred\x07')")
    await child.wait()
    assert "\x1b" not in lines.get_nowait()
    await child.stop(asyncio.Event())


async def test_a_process_gets_only_the_environment_of_its_specification() -> None:
    lines: list[str] = []
    code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    only = ProcessSpec(
        name="child",
        command=[sys.executable, "-c", code],
        environment={"GIVEN": "1"},
        stop_grace_s=1.0,
        on_line=lines.append,
    )
    child = await ChildProcess.start(only)
    assert await child.wait() == 0
    assert lines == ["['GIVEN']"]
    await child.stop(asyncio.Event())


async def test_a_text_that_no_process_can_get_is_told() -> None:
    with pytest.raises(ValueError, match="NUL"):
        await start("print()\0")
