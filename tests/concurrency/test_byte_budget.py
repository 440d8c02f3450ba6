from __future__ import annotations

import asyncio

import pytest

from dequeuer.concurrency.byte_budget import ByteBudget

pytestmark = pytest.mark.looptime


async def test_free_bytes_are_taken_at_once() -> None:
    budget = ByteBudget(10)
    assert budget.try_take(6)
    assert not budget.try_take(5)
    assert await budget.take(4, 60)
    budget.release(6)
    assert budget.free == 6


async def test_waiting_ends_after_the_timeout(looptime: float) -> None:
    budget = ByteBudget(10)
    assert budget.try_take(8)
    assert not await budget.take(5, 2.0)
    assert looptime == 2
    assert not await budget.take(11, 60.0)  # more than the budget has in all
    assert looptime == 2


async def test_waiting_tasks_are_served_in_their_order() -> None:
    budget = ByteBudget(10)
    assert budget.try_take(10)
    large = asyncio.create_task(budget.take(9, 60))
    await asyncio.sleep(0)
    small = asyncio.create_task(budget.take(1, 60))
    await asyncio.sleep(0)
    budget.release(5)
    await asyncio.sleep(1)
    assert not large.done()
    assert not small.done()  # otherwise a task that needs many bytes might never get them
    assert not budget.try_take(1)
    budget.release(5)
    await asyncio.wait({large, small})
    assert (large.result(), small.result(), budget.free) == (True, True, 0)


async def test_a_task_that_stops_waiting_does_not_block_the_next_ones() -> None:
    budget = ByteBudget(10)
    assert budget.try_take(5)
    large = asyncio.create_task(budget.take(9, 60))
    await asyncio.sleep(0)
    small = asyncio.create_task(budget.take(1, 60))
    await asyncio.sleep(0)
    large.cancel()
    assert await small
    assert budget.free == 4


async def test_bytes_that_are_granted_to_a_cancelled_task_are_released() -> None:
    budget = ByteBudget(10)
    assert budget.try_take(10)
    waiting = asyncio.create_task(budget.take(9, 60))
    await asyncio.sleep(0)
    budget.release(10)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert budget.free == (1 if waiting.done() and not waiting.cancelled() else 10)
