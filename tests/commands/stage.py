"""Runs commands of `dequeuer` as processes, and holds what they say."""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).parents[2]
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc"
)


class Tty(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command has said."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


async def start(
    *line: str,
    env: Mapping[str, str] | None = None,
    stdin: int | None = asyncio.subprocess.DEVNULL,
    stdout: int | IO[bytes] = asyncio.subprocess.PIPE,
) -> asyncio.subprocess.Process:
    """Start a command as a process."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DEQUEUER_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dequeuer", *line),
        stdin=stdin,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        env={**environ, "PYTHONPATH": str(ROOT), **(env or {})},
    )


async def ended(process: asyncio.subprocess.Process, stdin: bytes | None = None) -> Ended:
    """Wait for the end of a process."""
    async with asyncio.timeout(60):
        out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return Ended(process.returncode, (out or b"").decode(), err.decode())


async def run(*line: str, env: Mapping[str, str] | None = None, stdin: bytes | None = None) -> Ended:
    """Run a command as a process."""
    kind = asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE
    return await ended(await start(*line, env=env, stdin=kind), stdin)


async def run_with_full_disk(*line: str) -> Ended:
    """Run a command as a process that prints to a disk on which nothing has place."""
    with open("/dev/full", "wb") as full:  # noqa: ASYNC230, PTH123 - a device
        return await ended(await start(*line, stdout=full))


def peak_kib(pid: int) -> int:
    """Return the most memory that a process has had, KiB. Tests that call it are `needs_proc`."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1])


def size_of_parts(folder: Path) -> int:
    """Return the bytes of the files that are not whole yet."""
    return sum(path.stat().st_size for path in folder.glob("*.part"))
