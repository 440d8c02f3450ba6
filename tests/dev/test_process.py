from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from dequeuer.dev.process import Part, Plan

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""
POLITE = """
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


def plan(code: str, *, grace_s: float = 60.0, on_line: Callable[[str], None] = lambda _line: None) -> Plan:
    command = [sys.executable, "-c", code]
    return Plan(name="part", command=command, environment=dict(os.environ), stop_grace_s=grace_s, on_line=on_line)


async def start(code: str, *, grace_s: float = 60.0) -> tuple[Part, asyncio.Queue[str]]:
    lines: asyncio.Queue[str] = asyncio.Queue()
    return await Part.start(plan(code, grace_s=grace_s, on_line=lines.put_nowait)), lines


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that its new parent has not taken yet is gone, too.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int) -> None:
    async with asyncio.timeout(30):
        while is_alive(pid):  # noqa: ASYNC110 - the end of a stranger's child cannot be awaited
            await asyncio.sleep(0.01)


async def test_lines_and_exit_status_are_told() -> None:
    part, lines = await start("import sys; print('one'); print('two', file=sys.stderr); sys.exit(7)")
    assert await part.wait() == 7
    assert sorted([lines.get_nowait(), lines.get_nowait()]) == ["one", "two"]
    told = str(part.death())
    assert told.startswith("part ended with exit status 7. Its last lines:\n")
    assert "    two" in told
    await part.stop(asyncio.Event())


async def test_a_polite_part_ends_by_itself_and_is_heard_out() -> None:
    part, lines = await start(POLITE)
    assert await lines.get() == "here"
    await part.stop(asyncio.Event())
    assert await part.wait() == 3
    assert lines.get_nowait() == "bye"


async def test_a_deaf_part_is_killed_after_the_grace() -> None:
    part, lines = await start(DEAF, grace_s=0.05)
    assert await lines.get() == "deaf"
    await part.stop(asyncio.Event())
    assert await part.wait() == -signal.SIGKILL
    assert "was killed by SIGKILL" in str(part.death())


async def test_hurry_ends_the_patience() -> None:
    part, lines = await start(DEAF, grace_s=3600)
    assert await lines.get() == "deaf"
    hurry = asyncio.Event()
    stopping = asyncio.create_task(part.stop(hurry))
    await asyncio.sleep(0)
    assert not stopping.done()
    hurry.set()
    await stopping
    assert await part.wait() == -signal.SIGKILL


async def test_children_of_a_part_go_with_it() -> None:
    part, lines = await start(PARENT % (DEAF, "child.wait()"))
    pid = int((await lines.get()).split()[1])
    assert await lines.get() == "deaf"
    assert is_alive(pid)
    await part.stop(asyncio.Event())
    await gone(pid)


async def test_children_of_a_part_that_dies_by_itself_go_with_it() -> None:
    part, lines = await start(PARENT % (DEAF, "sys.stdin = None; import time; time.sleep(0.2); sys.exit(1)"))
    pid = int((await lines.get()).split()[1])
    assert await part.wait() == 1
    await gone(pid)
    await part.stop(asyncio.Event())


async def test_a_command_that_is_not_there_ends_with_127_and_says_so() -> None:
    missing = Plan(
        name="container", command=["no-such-server"], environment={}, stop_grace_s=1.0, on_line=lambda _line: None
    )
    part = await Part.start(missing)
    assert await part.wait() == 127
    assert "cannot start no-such-server: No such file or directory" in str(part.death())
    await part.stop(asyncio.Event())


async def test_output_is_bounded() -> None:
    part, _ = await start("import sys\nsys.stdout.write('x' * 3_000_000)\nfor n in range(5000): print('line', n)")
    assert await part.wait() == 0
    assert len(part.output.tail) == 200
    assert part.output.tail[-1] == "line 4999"
    assert all(len(line) <= 2000 for line in part.output.tail)
    assert len(str(part.death())) < 2000
    await part.stop(asyncio.Event())


async def test_output_cannot_move_the_cursor() -> None:
    part, lines = await start(r"print('\x1b[2Jred\x07')")
    await part.wait()
    assert "\x1b" not in lines.get_nowait()
    await part.stop(asyncio.Event())


async def test_a_part_gets_the_environment_of_its_plan_only() -> None:
    lines: list[str] = []
    code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    only = Plan(
        name="part",
        command=[sys.executable, "-c", code],
        environment={"GIVEN": "1"},
        stop_grace_s=1.0,
        on_line=lines.append,
    )
    part = await Part.start(only)
    assert await part.wait() == 0
    assert lines == ["['GIVEN']"]
    await part.stop(asyncio.Event())
