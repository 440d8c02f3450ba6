"""The log files of a job on this machine: read in bounded memory, also while they grow and are replaced."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

READ_BYTES: Final = 64 * 1024
MAX_LINE_BYTES: Final = 64 * 1024
"""A longer line is taken apart."""
OLDER: Final = ".1.log"
"""The end of the name of the file before the present one."""


def log_names(folder: Path) -> list[str]:
    """Return the processes whose logs are in a folder, those of the worker 2 before those of 10."""
    names = {path.name.removesuffix(OLDER).removesuffix(".log") for path in folder.glob("*.log")}
    return sorted(names, key=lambda name: re.sub("[0-9]+", lambda number: number[0].zfill(9), name))


class LogReader:
    """Reads the log of one process: the file before the present one, the present one, and what replaces it."""

    def __init__(self, folder: Path, name: str, tail: int | None = None) -> None:
        self._path = folder / f"{name}.log"
        self._older = folder / f"{name}{OLDER}"
        self._tail = tail
        self._file: BinaryIO | None = None
        self._rest = b""
        self._is_new = True

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that are there and were not read yet, without their ends."""
        if self._is_new:
            self._is_new = False
            yield from self._first()
        while self._file is not None:
            # Looked up before the file is read: the writer goes on to the next file when this one is complete.
            was_replaced = _number(self._path) != os.fstat(self._file.fileno()).st_ino
            yield from self._read(self._file)
            if not was_replaced:
                return
            yield from self._last()
            older = _open(self._older)
            if older is not None:
                if os.fstat(older.fileno()).st_ino != os.fstat(self._file.fileno()).st_ino:
                    yield from self._read(older)
                    yield from self._last()
                older.close()
            self._file.close()
            self._file = _open(self._path)
        if self._file is None:
            self._file = _open(self._path)
            if self._file is not None:
                yield from self._read(self._file)

    def rest(self) -> Iterator[bytes]:
        """Yield what follows the last end of a line."""
        yield from self._last()

    def _first(self) -> Iterator[bytes]:
        self._file = _open(self._path)
        older = _open(self._older)
        if older is None:
            if self._file is not None and self._tail is not None:
                _skip(self._file, self._tail)
            return
        with older:
            # It is the same file when the writer went on between the two lines above.
            is_same = self._file is not None and os.fstat(self._file.fileno()).st_ino == os.fstat(older.fileno()).st_ino
            missing = self._tail
            if self._tail is not None and self._file is not None:
                missing = self._tail - _skip(self._file, self._tail)
            if is_same or missing == 0:
                return
            if missing is not None:
                _skip(older, missing)
            yield from self._read(older)
            yield from self._last()

    def _read(self, file: BinaryIO) -> Iterator[bytes]:
        while chunk := file.read(READ_BYTES):
            *ended, self._rest = (self._rest + chunk).split(b"\n")
            yield from ended
            if len(self._rest) > MAX_LINE_BYTES:
                yield from self._last()

    def _last(self) -> Iterator[bytes]:
        rest, self._rest = self._rest, b""
        if rest:
            yield rest


def _open(path: Path) -> BinaryIO | None:
    """Open a regular file; None: there is none. A pipe would block, and a link could lead anywhere."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    return os.fdopen(descriptor, "rb", buffering=0)


def _number(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_ino
    return None


def _skip(file: BinaryIO, lines: int) -> int:
    """Move a file to its last lines, reading from its end; return how many there are, `lines` at most."""
    end = at = file.seek(0, os.SEEK_END)
    found = 0
    while at > 0 and lines > 0:
        size = min(READ_BYTES, at)
        at = file.seek(at - size)
        block = file.read(size)
        position = len(block)
        while (position := block.rfind(b"\n", 0, position)) >= 0:
            if at + position + 1 == end:
                continue  # it ends the last line
            found += 1
            if found == lines:
                file.seek(at + position + 1)
                return found
    file.seek(0 if lines else end)
    return found + 1 if lines and end else 0
