"""A bound on the bytes that many tasks buffer at the same time."""

from __future__ import annotations

import asyncio
from collections import deque


class ByteBudget:
    """Bytes that may be buffered. First come, first served.

    Two tasks that each hold bytes and wait for more can block each other: `patience_s` ends that.

    Args:
        total: bytes in all.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def free(self) -> int:
        """Bytes that nobody holds."""
        return self._free

    def try_take(self, size: int) -> bool:
        """Take `size` bytes if they are free and nobody waits for some."""
        if self._waiting or size > self._free:
            return False
        self._free -= size
        return True

    async def take(self, size: int, patience_s: float) -> bool:
        """Take `size` bytes; wait up to `patience_s` seconds for them. False: they did not become free in time."""
        if self.try_take(size):
            return True
        if size > self._total or patience_s <= 0:
            return False
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (size, granted)
        self._waiting.append(entry)
        try:
            await asyncio.wait({granted}, timeout=patience_s)
        except asyncio.CancelledError:
            if granted.done():
                self.give_back(size)
            else:
                self._leave(entry)
            raise
        if granted.done():
            return True
        self._leave(entry)
        return False

    def give_back(self, size: int) -> None:
        """Return bytes that were taken."""
        self._free += size
        self._serve()

    def _leave(self, entry: tuple[int, asyncio.Future[None]]) -> None:
        self._waiting.remove(entry)
        self._serve()  # a large share at the head may have held up smaller ones

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            size, granted = self._waiting.popleft()
            self._free -= size
            granted.set_result(None)
