"""Standard streams that are closed, full or broken: the log may be lost, the work may not."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

_STANDARD = (0, 1, 2)


class LossyLines:
    """An output whose lines may be lost: a full disk, or a reader that is gone, must not end the work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, if possible."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, if possible."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def fill_gaps() -> None:
    """Stand in for those that are closed: a socket would get their number, and libuv aborts on that."""
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    # None where it was closed, whatever its type says.
    sys.stdout, sys.stderr = (stream or _nothing() for stream in (sys.stdout, sys.stderr))


def _nothing() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def flush_or_forget() -> None:
    """Write what is left; what cannot be written would be tried again at exit, and make the status 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
