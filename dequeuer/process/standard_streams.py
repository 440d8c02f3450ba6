"""Standard streams that are closed, full or broken: log lines may be lost, but work must go on."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

_FILE_DESCRIPTORS = (0, 1, 2)


class BestEffortStream:
    """A text stream that ignores write errors: a full disk, or a reader that has exited, must not stop the work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write the text, or lose it."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, or lose what is buffered."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def open_missing_streams() -> None:
    """Open /dev/null for each standard stream that is closed.

    Otherwise the next socket would get the free number 0, 1 or 2, and libuv aborts the process on that.
    """
    for number in _FILE_DESCRIPTORS:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    # A stream that was closed is None, although its type does not say so.
    sys.stdout, sys.stderr = (stream or _null_stream() for stream in (sys.stdout, sys.stderr))


def _null_stream() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def flush_or_discard() -> None:
    """Flush stdout; discard what cannot be written. Python would try again at exit, fail, and exit with status 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
