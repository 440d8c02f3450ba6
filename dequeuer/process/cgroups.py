"""Limits of memory by cgroups (version 2), where this process may make some.

It may when a service manager has delegated a cgroup to it (systemd: `Delegate=yes`) and nobody else is in that: the
kernel limits only cgroups whose parent holds no processes, so this process moves into a cgroup of its own below it.
Other people's processes are never moved.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path("/")
OWN_NAME: Final = "dequeuer-controller"
REMOVAL_TRIES: Final = 50
REMOVAL_PAUSE_S: Final = 0.02
"""A cgroup whose last process was killed is empty a moment later."""


class Cgroup:
    """A cgroup for the processes of one container. All of them are killed when they use more than the limit."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def oom_kills(self) -> int:
        """Return how many processes the kernel has killed because of the limit. Raises `OSError`."""
        events = (self.path / "memory.events").read_text(encoding="ascii").split()
        return dict(zip(events[::2], map(int, events[1::2]), strict=True)).get("oom_kill", 0)

    async def remove(self) -> None:
        """Kill what is left in it, and delete it. One that cannot be deleted stays: it has no processes."""
        for _ in range(REMOVAL_TRIES):
            with suppress(OSError), (self.path / "cgroup.kill").open("r+") as file:  # Linux before 5.14 has none
                file.write("1")
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                await asyncio.sleep(REMOVAL_PAUSE_S)
            else:
                return


class Cgroups:
    """Cgroups below that of this process."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent

    @classmethod
    def find(cls, root: Path = ROOT) -> Cgroups | None:
        """Return where cgroups can be made; None: nowhere. Moves this process. `root`: of the file system."""
        try:
            parent = own_cgroup(root)
            if parent is None or "memory" not in (parent / "cgroup.controllers").read_text(encoding="ascii").split():
                return None
            if (parent / "cgroup.procs").read_text(encoding="ascii").split() != [str(os.getpid())]:
                return None
            own = parent / OWN_NAME
            own.mkdir(exist_ok=True)
        except OSError:
            return None
        try:
            (own / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
            (parent / "cgroup.subtree_control").write_text("+memory", encoding="ascii")
        except OSError:
            with suppress(OSError):
                (parent / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
                own.rmdir()
            return None
        return cls(parent)

    def create(self, name: str, memory_bytes: int) -> Cgroup:
        """Make a cgroup with a limit. `name`: unique. Raises `OSError`."""
        path = self._parent / name
        path.mkdir()
        try:
            (path / "memory.max").write_text(str(memory_bytes), encoding="ascii")
            # As in Kubernetes: one process of a server that is killed alone would leave it half alive.
            (path / "memory.oom.group").write_text("1", encoding="ascii")
            with suppress(OSError):  # a kernel that does not account for swap
                (path / "memory.swap.max").write_text("0", encoding="ascii")
        except OSError:
            with suppress(OSError):
                path.rmdir()
            raise
        return Cgroup(path)


def own_cgroup(root: Path) -> Path | None:
    """Return the folder of this process's cgroup of version 2. Raises `OSError`."""
    lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    for line in (root / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        mount, _, kind = line.partition(" - ")
        mounted, place = mount.split()[3:5]
        # Of another part of the tree (a container without a cgroup namespace) the paths do not fit.
        if kind.split()[0] == "cgroup2" and mounted == "/" and own is not None:
            return root / place.lstrip("/") / own.lstrip("/")
    return None
