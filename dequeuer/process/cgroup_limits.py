"""The limits of memory and CPU that hold for this process, from its cgroup and those above it."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dequeuer.process.cgroups import ROOT, own_cgroup

_UNLIMITED_V1_BYTES: Final = 2**60
"""Version 1 has a huge number for "no limit"."""
_CPU_MAX: Final = re.compile(r"([0-9]{1,15}) ([1-9][0-9]{0,9})")
MAX_DEPTH: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLimits:
    """Limits of this process and those that share its cgroup.

    Attributes:
        memory_bytes: the lowest limit; None: there is none.
        cpus: the lowest quota; None: there is none.
    """

    memory_bytes: int | None
    cpus: float | None


def read_limits(root: Path = ROOT) -> ProcessLimits | None:
    """Return the limits; None: this machine does not say. Reads small files. `root`: of the file system."""
    try:
        own = own_cgroup(root)
    except (OSError, ValueError):
        return None
    if own is None:
        return _read_version_1(root)
    memory: list[int] = []
    cpus: list[float] = []
    for folder in [own, *own.parents][:MAX_DEPTH]:
        if not (folder / "cgroup.procs").exists():
            break
        if (found := _text(folder / "memory.max")).isdecimal():
            memory.append(int(found))
        if quota := _CPU_MAX.fullmatch(_text(folder / "cpu.max")):
            cpus.append(int(quota[1]) / int(quota[2]))
    return ProcessLimits(memory_bytes=min(memory, default=None), cpus=min(cpus, default=None))


def _read_version_1(root: Path) -> ProcessLimits | None:
    """Return the limits that a container of cgroups of version 1 has; None: there are no such cgroups."""
    base = root / "sys/fs/cgroup"
    memory, quota, period = (
        _text(base / name) for name in ("memory/memory.limit_in_bytes", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")
    )
    if not memory.isdecimal():
        return None
    limit = int(memory)
    has_quota = quota.isdecimal() and period.isdecimal() and int(period) > 0
    return ProcessLimits(
        memory_bytes=None if limit >= _UNLIMITED_V1_BYTES else limit,
        cpus=int(quota) / int(period) if has_quota else None,
    )


def _text(file: Path) -> str:
    with suppress(OSError, ValueError):
        return file.read_text(encoding="ascii").strip()
    return ""
