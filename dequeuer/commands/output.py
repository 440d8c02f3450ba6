"""Standard output and standard error. Text from a server acts on no terminal."""

from __future__ import annotations

import asyncio
import codecs
import os
from typing import Any, TextIO

from dequeuer.formats.go_json import encode
from dequeuer.terminal.live import can_rewrite
from dequeuer.terminal.text import ascii_json, visible, visible_json


class Output:
    """Writes what a command says.

    Hazard: each write to standard output is seen to be done, since what is lost at a full disk or a reader that has
    gone must not look like the whole.
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self.stream = out
        self._err = err
        self._is_terminal = out.isatty()
        self._is_unicode = codecs.lookup(out.encoding or "utf-8").name == "utf-8"

    @property
    def is_live(self) -> bool:
        """Whether standard output is a terminal whose lines can be rewritten."""
        return can_rewrite(self.stream)

    def line(self, text: str) -> None:
        """Print a line for people."""
        self._print(visible(text))

    def json(self, value: Any) -> None:
        """Print a value as a line of JSON."""
        self.json_line(encode(value))

    def json_line(self, text: str) -> None:
        """Print a line that is JSON already."""
        if not self._is_unicode:  # the stream's own escapes (`\\xe9`) are none of JSON
            text = ascii_json(text)
        self._print(visible_json(text) if self._is_terminal else text)

    def note(self, text: str) -> None:
        """Print a line to standard error. It is lost when nobody can read it."""
        try:
            self._err.write(f"{visible(text)}\n")
            self._err.flush()
        except (OSError, ValueError):
            return

    def _print(self, text: str) -> None:
        self.stream.write(f"{text}\n")
        self.stream.flush()


class RawOutput:
    """Writes pieces of UTF-8 to standard output, as they are, or made visible where it is a terminal.

    A pipe that nobody reads blocks a write, so a thread writes: Ctrl-C still works, and so do timeouts.
    """

    def __init__(self, stream: TextIO) -> None:
        stream.flush()
        self._descriptor = stream.fileno()
        self.is_terminal = stream.isatty()

    async def write(self, data: bytes) -> None:
        """Write all of it. Raises `OSError`; `BrokenPipeError` when the reader has gone."""
        await asyncio.to_thread(self._write, data)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
