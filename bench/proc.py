"""CPU and memory of a process and its descendants, from /proc."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """CPU and memory of a process and its descendants.

    Attributes:
        cpu_s: user and system time of all threads, in seconds.
        rss_mib: memory in use now.
        peak_mib: the sum of the peaks of all processes.
    """

    cpu_s: float
    rss_mib: float
    peak_mib: float


def usage(pid: int, proc: Path = PROC) -> Usage:
    """Measure `pid` and its descendants now. Raises `OSError` when there is no such process."""
    total = [0.0, 0.0, 0.0]
    for member in tree(pid, proc):
        try:
            status = (proc / str(member) / "status").read_text(encoding="ascii", errors="replace")
            spent_s = cpu_s(member, proc)
        except (FileNotFoundError, ProcessLookupError):
            if member == pid:
                raise
            continue  # a descendant that has ended since
        total[0] += spent_s
        total[1] += _kib(status, "VmRSS") / 1024
        total[2] += _kib(status, "VmHWM") / 1024
    return Usage(cpu_s=total[0], rss_mib=total[1], peak_mib=total[2])


def tree(pid: int, proc: Path = PROC) -> list[int]:
    """Return the process and its descendants."""
    found = [pid]
    for member in found:
        for children in _of_threads(proc / str(member), "children"):
            found += [int(child) for child in children.split()]
    return found


def _of_threads(folder: Path, name: str) -> list[str]:
    """Return a file of each thread of a process. Threads can end at any time, and their files are gone then."""
    texts = []
    for path in (folder / "task").glob(f"*/{name}"):
        with suppress(FileNotFoundError, ProcessLookupError):
            texts.append(path.read_text(encoding="ascii"))
    return texts


def cpu_s(pid: int, proc: Path = PROC) -> float:
    """Return user and system time of one process.

    The kernel counts each thread in nanoseconds (schedstat). The ticks of `stat` are too coarse for an idle process,
    and are used only on kernels without schedstat.
    """
    folder = proc / str(pid)
    spent = [int(text.split()[0]) for text in _of_threads(folder, "schedstat")]
    if any(spent):
        return sum(spent) / 1e9
    return stat_ticks((folder / "stat").read_text(encoding="ascii", errors="replace")) / TICKS_PER_S


def stat_ticks(stat: str) -> int:
    """Return user and system ticks out of a `stat` line; the name in it may hold spaces and brackets."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _kib(status: str, name: str) -> int:
    _, found, rest = status.partition(f"{name}:")
    return int(rest.split()[0]) if found else 0
