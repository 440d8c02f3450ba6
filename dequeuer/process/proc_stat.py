"""Fields of `/proc/<pid>/stat` (Linux, proc_pid_stat(5))."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PARENT: Final = 1
_SESSION: Final = 3


def parent_of(folder: Path) -> int | None:
    """Return the id of the parent of the process with this folder in `/proc`. None: it has ended."""
    return _field(folder, _PARENT)


def session_of(folder: Path) -> int | None:
    """Return the id of the session of the process with this folder in `/proc`. None: it has ended."""
    return _field(folder, _SESSION)


def _field(folder: Path, number: int) -> int | None:
    try:
        # The name of the program, in parentheses, may hold anything.
        return int((folder / "stat").read_bytes().rpartition(b")")[2].split()[number])
    except (OSError, IndexError):  # it has ended
        return None
