"""How much memory processes use, by session, from `/proc`; waits until one uses more than it may.

Counted is what the kernel cannot take back: anonymous and shared memory. Files that are mapped or cached do not count,
as in a cgroup: a model of 10 GB that is mapped from its file is no reason to kill. Memory that several processes of a
session share (a server that forks) counts once.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dequeuer.process.proc_stat import session_of

INTERVAL_S: Final = 0.25
PROC: Final = Path("/proc")
_RESIDENT = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)
_PROPORTIONAL = re.compile(rb"^Pss_(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)


def can_measure(proc: Path = PROC) -> bool:
    """Return whether this machine says how much memory a process uses."""
    try:
        return _RESIDENT.search((proc / "self/status").read_bytes()) is not None
    except OSError:
        return False


def above(limits: Mapping[int, int], proc: Path = PROC) -> dict[int, int]:
    """Return the sessions that use more than their limit, and how much, in bytes. Blocks."""
    processes: defaultdict[int | None, list[Path]] = defaultdict(list)
    for name in os.listdir(proc):  # noqa: PTH208 - of hundreds, a few times a second
        if name.isdigit():
            processes[session_of(proc / name)].append(proc / name)
    used = {}
    for session, limit in limits.items():
        # What processes share is counted once for each of them here, so this is never too low. The exact look walks
        # through all pages, and takes milliseconds for a gigabyte.
        if sum(_read(folder / "status", _RESIDENT) for folder in processes[session]) > limit:
            size = sum(_proportional(folder) for folder in processes[session])
            if size > limit:
                used[session] = size
    return used


def _proportional(folder: Path) -> int:
    return _read(folder / "smaps_rollup", _PROPORTIONAL) or _read(folder / "status", _RESIDENT)


def _read(path: Path, pattern: re.Pattern[bytes]) -> int:
    try:
        return 1024 * sum(int(number) for number in pattern.findall(path.read_bytes()))
    except OSError:  # it has ended, or its details may not be read
        return 0


class MemoryWatch:
    """Looks at the memory of all watched sessions in turn, as long as there are some."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._limits: dict[int, int] = {}
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def wait_above(self, session: int, limit_bytes: int) -> int:
        """Wait until the processes of a session use more; return how much, in bytes.

        A program that fills memory fast has used more by then: all that it can take in one interval. When the memory
        cannot be looked at, the error is raised.
        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._limits[session], self._waiting[session] = limit_bytes, future
        if self._looking is None or len(self._limits) == 1:
            self._looking = asyncio.create_task(self._look(), name="memory-watch")
        try:
            return await future
        finally:
            del self._limits[session], self._waiting[session]
            if not self._limits:
                self._looking.cancel()

    async def _look(self) -> None:
        while True:
            try:
                found = await asyncio.to_thread(above, dict(self._limits))
            except Exception as error:  # noqa: BLE001 - no more files, no more threads: nobody may wait in vain
                found = {}
                for waiting in self._waiting.values():
                    if not waiting.done():
                        waiting.set_exception(error)
            for session, used in found.items():
                above_limit = self._waiting.get(session)
                if above_limit is not None and not above_limit.done():
                    above_limit.set_result(used)
            await asyncio.sleep(self._interval_s)
