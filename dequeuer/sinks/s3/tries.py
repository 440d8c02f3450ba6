"""How requests of an upload are tried again: for a while, in place, because its body cannot be had again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dequeuer.core.errors import StoreUnavailableError

T = TypeVar("T")

TRIES = 8
TRIES_WITHIN_S = 120.0
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 15.0


async def patiently(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try up to `TRIES` times within `TRIES_WITHIN_S`: what is sent here cannot be had again from the container."""
    loop = asyncio.get_running_loop()
    ends, wait_s = loop.time() + TRIES_WITHIN_S, FIRST_WAIT_S
    for _ in range(TRIES - 1):
        try:
            return await attempt()
        except StoreUnavailableError:
            pause_s = random.uniform(0, wait_s)  # noqa: S311 - jitter
            if loop.time() + pause_s > ends:
                raise
        await asyncio.sleep(pause_s)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
    return await attempt()
