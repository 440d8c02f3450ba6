"""Limits of the memory of containers, by the best means of this machine.

Limits of the kernel for each process (`RLIMIT_AS`, `RLIMIT_DATA`) are not used. They count what a program maps, not
what it uses, and programs on the JVM, Go, Node.js or CUDA map many times that; and they make an allocation fail instead
of ending the container, so nobody can tell what happened.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from dequeuer.controller.launchers.local.guards import Guard, Verdict
from dequeuer.process.cgroups import Cgroup, Cgroups
from dequeuer.process.memory import MemoryWatch, can_measure

Means: TypeAlias = Literal["cgroup", "watch", "none"]
_SIGKILL = -9
_MEBIBYTE = 2**20


class CgroupMemory(Guard):
    """The kernel kills the container, and says so."""

    def __init__(self, cgroup: Cgroup, limit_bytes: int) -> None:
        self.cgroup = cgroup
        self._limit_bytes = limit_bytes

    def explain(self, status: int) -> Verdict | None:
        """Tell a kill by the kernel from any other."""
        try:
            was_killed = status == _SIGKILL and self.cgroup.oom_kills() > 0
        except OSError:
            return None
        return _verdict("needed", self._limit_bytes) if was_killed else None

    async def close(self) -> None:
        """Delete the cgroup."""
        await self.cgroup.remove()


class WatchedMemory(Guard):
    """The memory is looked at a few times a second. Between two looks a container may use more."""

    def __init__(self, watch: MemoryWatch, limit_bytes: int) -> None:
        self._watch = watch
        self._limit_bytes = limit_bytes

    async def watch(self, pid: int) -> Verdict:
        """Return when the container uses more than it may."""
        used = await self._watch.wait_above(pid, self._limit_bytes)
        return _verdict(f"used {_mebibytes(used)} of memory,", self._limit_bytes)


class MemoryLimits:
    """Makes the limits of containers."""

    def __init__(self, cgroups: Cgroups | None) -> None:
        self._cgroups = cgroups
        self._watch = MemoryWatch()
        self._can_measure = can_measure()

    @property
    def means(self) -> Means:
        """How memory is limited on this machine."""
        if self._cgroups is not None:
            return "cgroup"
        return "watch" if self._can_measure else "none"

    def limit(self, name: str, limit_bytes: int) -> Guard | None:
        """Return a limit; None: this machine offers none. `name`: unique. Raises `OSError`."""
        if self._cgroups is not None:
            return CgroupMemory(self._cgroups.create(name, limit_bytes), limit_bytes)
        return WatchedMemory(self._watch, limit_bytes) if self._can_measure else None


def _verdict(used: str, limit_bytes: int) -> Verdict:
    reason = f"was killed because it {used} more than its compute.mem ({_mebibytes(limit_bytes)})"
    return Verdict(phase="killed_oom", reason=reason)


def _mebibytes(size: int) -> str:
    return f"{size / _MEBIBYTE:,.0f} MiB"
