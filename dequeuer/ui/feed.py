"""The events of one page that looks. A page that reads too slowly loses its feed, and connects again."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any, Final

from dequeuer.formats.go_json import encode

MAX_WAITING_EVENTS: Final = 256
MAX_WAITING_BYTES: Final = 16 << 20
COMMENT: Final = b":\n\n"


class Feed:
    """Events that wait to be written."""

    def __init__(self) -> None:
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self._is_closed = False
        self._changed = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Add an event. If too much waits already, close the feed."""
        if self._is_closed:
            return
        self._events.append(event)
        self._bytes += len(event)
        if len(self._events) > MAX_WAITING_EVENTS or self._bytes > MAX_WAITING_BYTES:
            self._events.clear()
            self._is_closed = True
        self._changed.set()

    def close(self) -> None:
        """End the feed, once what waits has been taken."""
        self._is_closed = True
        self._changed.set()

    async def take(self) -> bytes:
        """Return all events that wait, or the next one; b"" at the end of the feed."""
        while not self._events and not self._is_closed:
            self._changed.clear()
            await self._changed.wait()
        taken = b"".join(self._events)
        self._events.clear()
        self._bytes = 0
        return taken


def event(name: str, fields: Any) -> bytes:
    """Return the bytes of an event. JSON in one line has no line break."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps(fields, separators=(",", ":")).encode())


def event_of_gateway(name: str, fields: Any) -> bytes:
    """Return the bytes of an event with values of the gateway, whose numbers keep their text."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), encode(fields).encode())
