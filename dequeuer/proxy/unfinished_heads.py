"""How much all heads take that have arrived in part: thousands of clients may each send half of one."""

from __future__ import annotations

from typing import Final

from dequeuer.http.request_head import RequestError

MAX_UNFINISHED_BYTES: Final = 16 * 1024 * 1024
"""Of all connections together. A head that arrives in one read does not count."""


class UnfinishedHeads:
    """Counts the bytes of heads that wait for their end."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes = 0

    def grow(self, size: int) -> None:
        """Add bytes. Raises `RequestError` when there are too many: they count until `shrink` all the same."""
        self._bytes += size
        if self._bytes > MAX_UNFINISHED_BYTES:
            raise RequestError(431, "too many requests arrive in part at the same time: send the head at once")

    def shrink(self, size: int) -> None:
        """Take bytes away: their head is whole, or is not waited for any more."""
        self._bytes -= size
