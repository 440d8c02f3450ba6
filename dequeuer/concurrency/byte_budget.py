"""A limit for the bytes that all tasks together buffer."""

from __future__ import annotations

import asyncio
from collections import deque


class ByteBudget:
    """Bytes that may be buffered. Waiting tasks are served in their order.

    Two tasks that each have bytes and wait for more can block each other until `max_wait_s` is over.

    Args:
        total: bytes in all.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def free(self) -> int:
        """Bytes that are not taken."""
        return self._free

    def try_take(self, size: int) -> bool:
        """Take `size` bytes if they are free and no task waits for bytes."""
        if self._waiting or size > self._free:
            return False
        self._free -= size
        return True

    async def take(self, size: int, max_wait_s: float) -> bool:
        """Take `size` bytes; wait up to `max_wait_s` seconds for them. False: they did not become free in time."""
        if self.try_take(size):
            return True
        if size > self._total or max_wait_s <= 0:
            return False
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (size, granted)
        self._waiting.append(entry)
        try:
            await asyncio.wait({granted}, timeout=max_wait_s)
        except asyncio.CancelledError:
            if granted.done():
                self.release(size)
            else:
                self._stop_waiting(entry)
            raise
        if granted.done():
            return True
        self._stop_waiting(entry)
        return False

    def release(self, size: int) -> None:
        """Give back bytes that were taken."""
        self._free += size
        self._serve()

    def _stop_waiting(self, entry: tuple[int, asyncio.Future[None]]) -> None:
        self._waiting.remove(entry)
        self._serve()  # a large request at the head may have blocked smaller ones

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            size, granted = self._waiting.popleft()
            self._free -= size
            granted.set_result(None)
