"""The memory of real processes."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from dequeuer.process import memory
from dequeuer.process.memory import MemoryWatch, above, can_measure

MIB = 1 << 20
HOLDS = "held = bytearray(b'x') * ({mib} << 20)\n"
SAYS = "print('ready', flush=True); input()\n"


@contextmanager
def running(code: str) -> Iterator[int]:
    """Run a program in a session of its own, until it has printed a line."""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        os.killpg(process.pid, 9)


def used(session: int) -> int:
    return above({session: 0})[session]


def test_this_machine_says_how_much_memory_is_used() -> None:
    assert can_measure()
    assert not can_measure(Path("/nowhere"))


def test_what_a_process_uses_is_counted() -> None:
    with running(HOLDS.format(mib=64) + SAYS) as pid:
        assert 64 * MIB < used(pid) < 96 * MIB


def test_what_a_process_only_maps_is_not_counted() -> None:
    with running("import mmap; mapped = mmap.mmap(-1, 4 << 30)\n" + SAYS) as pid:
        assert used(pid) < 32 * MIB


def test_a_file_that_is_mapped_is_not_counted(tmp_path: Path) -> None:
    file = tmp_path / "model"
    file.write_bytes(b"x" * (64 * MIB))
    code = (
        f"import mmap; file = open({str(file)!r}, 'rb'); mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        f"assert sum(mapped[::4096]) > 0\n"
    )
    with running(code + SAYS) as pid:
        assert used(pid) < 32 * MIB


def test_what_the_processes_of_a_server_share_is_counted_once() -> None:
    forks = "import os, time\nfor _ in range(3):\n    if os.fork() == 0: time.sleep(600)\n"
    with running(HOLDS.format(mib=64) + forks + SAYS) as pid:
        assert 64 * MIB < used(pid) < 112 * MIB


def test_the_memory_of_children_counts() -> None:
    child = "import sys; held = bytearray(b'x') * (64 << 20); print('ready', flush=True); sys.stdin.read()"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE).wait()"
    with running(code) as pid:
        assert used(pid) > 64 * MIB


def test_only_sessions_above_their_limit_are_returned() -> None:
    with running(HOLDS.format(mib=64) + SAYS) as large, running(SAYS) as small:
        assert set(above({large: 64 * MIB, small: 64 * MIB, 2**22 + 1: 0})) == {large}


async def test_a_watch_waits_until_a_session_uses_too_much() -> None:
    watch = MemoryWatch(interval_s=0.01)
    with running(HOLDS.format(mib=64) + SAYS) as large, running(SAYS) as small:
        waiting = asyncio.create_task(watch.wait_above(small, 64 * MIB))
        async with asyncio.timeout(60):
            assert await watch.wait_above(large, 64 * MIB) > 64 * MIB
            assert await watch.wait_above(large, 32 * MIB) > 64 * MIB
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert watch._looking is not None
    await asyncio.wait({watch._looking}, timeout=60)
    assert watch._looking.cancelled(), "nobody waits any more"


async def test_who_waits_is_told_when_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot_look(_limits: Mapping[int, int]) -> dict[int, int]:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(memory, "above", cannot_look)
    watch = MemoryWatch(interval_s=0.01)
    async with asyncio.timeout(20):
        waiting = [watch.wait_above(session, MIB) for session in (1, 2)]
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in errors] == [OSError, OSError]
        with pytest.raises(OSError, match="too many open files"):
            await watch.wait_above(3, MIB)
