"""What a process prints, line by line, while it runs."""

from __future__ import annotations

import os
import select
import threading
from typing import IO

POLL_MS = 500
"""Whoever asks may have read the end, for which the thread waits: it looks again."""


class Output:
    """The lines of a pipe, collected in a thread: the process never waits for a reader.

    Whoever asks for them reads first what is in the pipe. So a line that was printed before an effect is known when the
    effect is seen, also when the thread was not scheduled meanwhile.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._lines: list[str] = []
        self._rest = b""
        self._has_ended = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._collect, name="output")
        self._thread.start()

    @property
    def lines(self) -> list[str]:
        """The lines so far."""
        self._read()
        return self._lines

    def close(self, deadline_s: float) -> None:
        """Wait until the last process that has the pipe has ended, but no longer than so many seconds."""
        self._thread.join(deadline_s)
        self._has_ended = True
        self._thread.join()
        self._pipe.close()

    def _collect(self) -> None:
        while not self._has_ended:
            if _is_readable(self._pipe, POLL_MS):
                self._read()

    def _read(self) -> None:
        """Read what is there."""
        with self._lock:
            while not self._has_ended and _is_readable(self._pipe, 0):
                data = os.read(self._pipe.fileno(), 65_536)
                *lines, self._rest = (self._rest + data).split(b"\n")
                if not data:
                    self._has_ended = True
                    lines = [self._rest] if self._rest else []
                self._lines.extend(line.decode() for line in lines)


def _is_readable(pipe: IO[bytes], timeout_ms: int) -> bool:
    poll = select.poll()  # select knows no file above 1023
    poll.register(pipe.fileno(), select.POLLIN)
    return bool(poll.poll(timeout_ms))
