"""`cortex_in_flight_requests`."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.proxy.in_flight import publish_in_flight


@pytest.mark.looptime
async def test_the_mean_of_ten_samples_is_published_every_ten_seconds() -> None:
    published: list[tuple[float, float]] = []
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    task = asyncio.create_task(
        publish_in_flight(
            lambda: round(loop.time() - began_at), lambda mean: published.append((round(loop.time() - began_at), mean))
        )
    )
    await asyncio.sleep(20.5)
    task.cancel()
    assert published == [(10, 5.5), (20, 15.5)]
