"""The CPUs of containers: each that asks for some gets as many of its own as there are, then shares them.

A container sees only these, so the thread pools of its libraries are as large as what it asked for, and not as large
as the machine. It may use all of them: a part of a CPU (`200m`) counts as a whole one.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from math import ceil

from dequeuer.controller.launchers.local.guards import Guard


class CpuPool:
    """The CPUs of this process, and how many containers have each of them. `cpus`: None cannot be set here."""

    def __init__(self, cpus: Collection[int] | None) -> None:
        self._users = dict.fromkeys(sorted(cpus or ()), 0)

    @property
    def can_assign(self) -> bool:
        """Whether this machine lets processes be kept to some CPUs."""
        return bool(self._users)

    def take(self, millis: int) -> CpuShare:
        """Return the least used CPUs: so many that they have this many thousandths, if there are so many."""
        chosen = sorted(self._users, key=lambda cpu: (self._users[cpu], cpu))[: ceil(millis / 1000)]
        for cpu in chosen:
            self._users[cpu] += 1
        return CpuShare(self, tuple(sorted(chosen)))

    def give_back(self, cpus: Collection[int]) -> None:
        """Take the CPUs of a container that has ended."""
        for cpu in cpus:
            self._users[cpu] -= 1


class CpuShare(Guard):
    """The CPUs of one container."""

    def __init__(self, pool: CpuPool, cpus: tuple[int, ...]) -> None:
        self._pool = pool
        self.cpus = cpus

    async def close(self) -> None:
        """Give them back."""
        self._pool.give_back(self.cpus)


def own_cpus() -> set[int] | None:
    """Return the CPUs that this process may use; None where that cannot be set."""
    get = getattr(os, "sched_getaffinity", None)
    return set(get(0)) if get is not None else None
