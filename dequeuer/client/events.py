"""Reads server-sent events: only their data, within bounds."""

from __future__ import annotations

from typing import Final

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.formats.go_json import decode

MAX_EVENT_BYTES: Final = 8 << 20
"""A status holds the config of the job, up to 1 MiB, in which an escape may take six bytes for one."""


class EventReader:
    """Finds the events in the pieces of a stream."""

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of the events that end in this piece.

        Raises:
            InvalidAnswerError: an event is too large.
        """
        events = []
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._add(part)
            if (event := self._end_line()) is not None:
                events.append(event)
        self._add(rest)
        return events

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._max_bytes:
            raise InvalidAnswerError(f"the gateway sends an event of more than {self._max_bytes} bytes")
        self._line += part

    def _end_line(self) -> bytes | None:
        line = bytes(self._line).removesuffix(b"\r")
        self._line.clear()
        if not line:
            event, self._data, self._size = b"\n".join(self._data), [], 0
            return event or None
        if line.startswith(b"data:"):
            self._data.append(line.removeprefix(b"data:").removeprefix(b" "))
        else:
            self._size -= len(line)  # a comment, or another field: it is kept nowhere
        return None


def event_value(data: bytes) -> object:
    """Return the JSON value of an event; its numbers keep their text. Raises `InvalidAnswerError`."""
    try:
        return decode(data.decode())
    except ValueError:
        raise InvalidAnswerError("the gateway sends an event that is no JSON") from None
