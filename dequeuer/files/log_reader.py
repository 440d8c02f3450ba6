"""Reads the log files of processes: in bounded memory, also while they grow and are replaced."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

READ_BYTES: Final = 64 * 1024
MAX_LINE_BYTES: Final = 64 * 1024
"""A longer line is taken apart."""
MARK_BYTES: Final = 128
OLDER: Final = ".1.log"
"""The end of the name of the file before the present one."""


def log_names(folder: Path) -> list[str]:
    """Return the processes whose logs are in a folder, those of the worker 2 before those of 10."""
    names = {path.name.removesuffix(OLDER).removesuffix(".log") for path in folder.glob("*.log")}
    return sorted(names, key=lambda name: re.sub("[0-9]+", lambda number: number[0].zfill(9), name))


class LogReader:
    """Reads the log of one process: the file before the present one, the present one, and what replaces it.

    No file stays open between two looks: a job may have thousands. A file is known again by its number and by the last
    bytes that were read of it: the number of a file that was deleted is given to the next one.

    Args:
        folder: of the logs.
        name: of the process.
        tail: how many of the lines that are there at the first look are read; None: all of them.
    """

    def __init__(self, folder: Path, name: str, tail: int | None = None) -> None:
        self._path = folder / f"{name}.log"
        self._older = folder / f"{name}{OLDER}"
        self._tail = tail
        self._number = -1
        self._offset = 0
        self._mark = b""
        self._is_new = True
        self._rest = b""

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that are there and were not read yet, without their ends. Go on to the end.

        Raises:
            OSError: a file cannot be read.
        """
        with ExitStack() as stack:
            # In this order: when the writer goes on to its next file in between, one is opened twice, and none missed.
            present, older = _open(self._path, stack), _open(self._older, stack)
            if present is not None and older is not None and _number(present) == _number(older):
                older = None
            known, following = self._unread([one for one in (older, present) if one is not None])
            if known is not None:
                yield from self._read(known)
            for file in following:
                yield from self.rest()
                self._number, self._offset, self._mark = _number(file), file.tell(), b""
                yield from self._read(file)

    def rest(self) -> Iterator[bytes]:
        """Yield what follows the last end of a line."""
        rest, self._rest = self._rest, b""
        if rest:
            yield rest

    def _unread(self, files: Sequence[BinaryIO]) -> tuple[BinaryIO | None, Sequence[BinaryIO]]:
        """Return the file that was read last, and those that follow it, each at the place where its new lines begin."""
        if self._is_new:
            self._is_new = False
            if self._tail is not None:
                missing = self._tail
                for file in reversed(files):
                    missing -= _skip(file, missing)
            return None, files
        for at, file in enumerate(files):
            if self._is_known(file):
                return file, files[at + 1 :]
            file.seek(0)
        return None, files

    def _is_known(self, file: BinaryIO) -> bool:
        """Return whether a file is the one that was read last; then its next bytes are those that follow."""
        if _number(file) != self._number:
            return False
        file.seek(self._offset - len(self._mark))
        return file.read(len(self._mark)) == self._mark

    def _read(self, file: BinaryIO) -> Iterator[bytes]:
        while chunk := file.read(READ_BYTES):
            self._offset += len(chunk)
            self._mark = (self._mark + chunk)[-MARK_BYTES:]
            *ended, self._rest = (self._rest + chunk).split(b"\n")
            yield from ended
            if len(self._rest) > MAX_LINE_BYTES:
                yield from self.rest()


def _open(path: Path, stack: ExitStack) -> BinaryIO | None:
    """Open a regular file; None: there is none. A pipe would block, and a link could lead anywhere."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    return stack.enter_context(os.fdopen(descriptor, "rb", buffering=0))


def _number(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino


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
