"""Turns at what only some may do at the same time, for callers that do not wait for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def turn(turns: asyncio.Semaphore, timeout_s: float, busy: Exception) -> AsyncIterator[None]:
    """Hold one of the turns until the context ends. Raises `busy` when none has become free in time."""
    try:
        async with asyncio.timeout(timeout_s):
            await turns.acquire()
    except TimeoutError:
        raise busy from None
    try:
        yield
    finally:
        turns.release()
