"""Waits until nothing moves any more: there is no event for what full buffers hold back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

QUIET_S = 0.3


async def until_still(value: Callable[[], int]) -> int:
    """Return a value once it has not changed for `QUIET_S`."""
    last = value()
    while True:
        await asyncio.sleep(QUIET_S)
        if (now := value()) == last:
            return now
        last = now


async def held_back(writer: asyncio.StreamWriter) -> int:
    """Return how many bytes the other side has not taken, once it takes no more."""
    return await until_still(writer.transport.get_write_buffer_size)
