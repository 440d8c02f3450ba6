"""`cortex_in_flight_requests`, which Cortex's autoscaler reads: a sample each second, their mean every ten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

SAMPLE_INTERVAL_S: Final = 1.0
SAMPLES: Final = 10


async def publish_in_flight(count: Callable[[], int], publish: Callable[[float], None]) -> None:
    """Sample `count` each second, and publish the mean of each ten samples. Runs until it is cancelled."""
    loop = asyncio.get_running_loop()
    next_at = loop.time()
    while True:
        total = 0
        for _ in range(SAMPLES):
            # By the clock, not by sleeping for a second: the period would grow by the time between.
            next_at = max(next_at + SAMPLE_INTERVAL_S, loop.time())
            await asyncio.sleep(next_at - loop.time())
            total += count()
        publish(total / SAMPLES)
