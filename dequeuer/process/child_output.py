"""Reads the output of a child process line by line, and keeps the last lines."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from dequeuer.core.errors import clip

MAX_KEPT_LINES = 200
MAX_LINE_CHARACTERS = 2000
_BUFFER_BYTES = 4 * MAX_LINE_CHARACTERS


class OutputReader(asyncio.Protocol):
    """Reads a pipe with bounded memory, even if the process prints without newlines or without end."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.tail: deque[str] = deque(maxlen=MAX_KEPT_LINES)
        self.ended = asyncio.Event()
        self._on_line = on_line
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the pipe."""
        self._transport = transport

    def close(self) -> None:
        """Stop reading."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Split what was printed into lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._add(line)
        if len(self._rest) > _BUFFER_BYTES:
            self._add(self._rest)
            self._rest = b""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Record the end of the output."""
        if self._rest:
            self._add(self._rest)
            self._rest = b""
        self.ended.set()

    def _add(self, raw: bytes) -> None:
        text = raw[:_BUFFER_BYTES].decode(errors="replace").replace("\t", "    ").rstrip()
        if text:
            line = clip(text, MAX_LINE_CHARACTERS)
            self.tail.append(line)
            self._on_line(line)
