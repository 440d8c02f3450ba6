"""Standard streams that are closed, full or broken: log lines may be lost, but work must go on."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from typing import Final, TextIO

_FILE_DESCRIPTORS = (0, 1, 2)
NOT_WRITTEN: Final = 1
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
BROKEN_PIPE: Final = 141
"""The exit status when whoever read the output reads no more: as of a process that SIGPIPE ends."""


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
        discard_output()


def discard_output() -> None:
    """Discard what is still to be written to stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def escape_what_cannot_be_encoded() -> None:
    """Give a stream that knows only some characters escapes of the others, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="backslashreplace")


def run_printing(run: Callable[[], int]) -> int:
    """Run a command whose output is for a person; return its exit status.

    After `| head` that is `BROKEN_PIPE`, and `NOT_WRITTEN` on a full disk, with a line on stderr: output that is lost
    is no success.
    """
    escape_what_cannot_be_encoded()
    try:
        status = run()
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
        return BROKEN_PIPE
    except OSError as error:
        if error.errno not in _FULL:
            raise
        sys.stderr.write(f"dequeuer: the output cannot be written: {error.strerror}\n")
        discard_output()
        return NOT_WRITTEN
    return status
