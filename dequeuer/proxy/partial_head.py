"""The head of a request that arrives in pieces: collected within bounds, and judged as it comes."""

from __future__ import annotations

import re
from typing import Final

from dequeuer.http.framing import find_head_end
from dequeuer.http.request_head import RequestHead, check_unfinished, read_request_head
from dequeuer.proxy.unfinished_heads import UnfinishedHeads

_EMPTY_LINES: Final = re.compile(rb"(?:\r\n)+")


def without_empty_lines(data: bytes) -> bytes:
    """Return the data without the empty lines at its beginning: before a request they are ignored (RFC 9112, 2.2)."""
    lines = _EMPTY_LINES.match(data) if data.startswith(b"\r\n") else None
    return data if lines is None else data[lines.end() :]


def read_whole_head(data: bytes) -> tuple[RequestHead, bytes] | None:
    """Return the head that the data begins with, and what follows it; None: it does not end here.

    Raises:
        RequestError: it is not valid.
    """
    end = find_head_end(data, 0)
    if not end:
        return None
    return read_request_head(data if end == len(data) else data[:end]), data[end:]


class PartialHead:
    """One head of which the end has not arrived.

    Args:
        budget: of all such heads.
    """

    __slots__ = ("_budget", "_buffer", "_counted_bytes")

    def __init__(self, budget: UnfinishedHeads) -> None:
        self._budget = budget
        self._buffer = bytearray()
        self._counted_bytes = 0

    @property
    def is_empty(self) -> bool:
        """Whether only empty lines have arrived."""
        return bytes(self._buffer) in {b"", b"\r"}

    @property
    def is_of_head_request(self) -> bool:
        """Whether a response to it must have no body."""
        return self._buffer.startswith(b"HEAD ")

    def feed(self, data: bytes) -> tuple[RequestHead, bytes] | None:
        """Add what has arrived; return the head and what follows it once it is whole.

        Raises:
            RequestError: it cannot become valid, or there is no room for it.
        """
        searched = len(self._buffer)
        self._buffer += data
        if self._buffer.startswith(b"\r\n"):
            # The first line end of the buffer came in two reads.
            self._buffer[:] = without_empty_lines(bytes(self._buffer))
            searched = 0
        end = find_head_end(self._buffer, searched)
        if end:
            return read_request_head(bytes(self._buffer[:end])), bytes(self._buffer[end:])
        check_unfinished(self._buffer, searched)
        grown, self._counted_bytes = len(self._buffer) - self._counted_bytes, len(self._buffer)
        self._budget.grow(grown)
        return None

    def drop(self) -> None:
        """Free its room. To be called once, however it ends."""
        self._budget.shrink(self._counted_bytes)
        self._counted_bytes = 0
