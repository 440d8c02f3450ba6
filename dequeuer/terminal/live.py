"""A block of lines at the end of a terminal that is rewritten in place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Protocol

from dequeuer.terminal.text import clip_cells


class Stream(Protocol):
    """A text stream."""

    def write(self, text: str, /) -> object:
        """Write text."""

    def flush(self) -> object:
        """Show what was written."""

    def isatty(self) -> bool:
        """Return whether it is a terminal."""


def can_rewrite(stream: Stream, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the stream is a terminal that can move its cursor."""
    return stream.isatty() and environ.get("TERM", "dumb") != "dumb"


class LiveBlock:
    """Rewrites its lines. Each is clipped to the width of the terminal: one that wraps would be two to move over.

    Its last state stays on the screen; nothing has to be restored when the process is killed.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._lines: Sequence[str] = ()
        self._shown = 0

    def show(self, lines: Sequence[str]) -> None:
        """Replace the block. The lines are visible text."""
        self._lines = lines
        self._draw([])

    def print_above(self, line: str) -> None:
        """Print a line of visible text that stays, above the block."""
        self._draw([line])

    def _draw(self, above: Sequence[str]) -> None:
        size = shutil.get_terminal_size()
        # A block that is higher than the terminal scrolls, and its top can be reached no more.
        lines = [clip_cells(line, size.columns - 1) for line in self._lines[: max(size.lines - 1, 1)]]
        up = f"\x1b[{self._shown}F" if self._shown else ""
        text = "".join(f"\x1b[K{line}\n" for line in (*above, *lines))
        # What an earlier, longer block has left below is erased.
        self._stream.write(f"{up}{text}\x1b[J")
        self._stream.flush()
        self._shown = len(lines)
