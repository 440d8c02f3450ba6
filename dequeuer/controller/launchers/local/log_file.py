"""The output of a process in a file of bounded size."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dequeuer.files.log_reader import OLDER

MAX_BYTES: Final = 8 << 20
"""Of a file; the one before it is kept, too."""


class LogFile:
    """Appends lines. A disk that is full loses them, and no work."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._size = path.stat().st_size if path.exists() else 0

    def write(self, line: str) -> None:
        """Append a line."""
        data = line.encode(errors="replace") + b"\n"
        try:
            if self._size + len(data) > self._max_bytes:
                self._path.replace(self._path.with_suffix(OLDER))
                self._size = 0
            with self._path.open("ab") as file:
                file.write(data)
        except OSError:
            return
        self._size += len(data)
