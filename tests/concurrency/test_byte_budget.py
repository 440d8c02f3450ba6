from __future__ import annotations

import asyncio

import pytest

from dequeuer.concurrency.byte_budget import ByteBudget

pytestmark = pytest.mark.looptime


async def test_what_is_free_is_taken_at_once() -> None:
    budget = ByteBudget(10)
    assert budget.try_take(6)
    assert not budget.try_take(5)
    assert await budget.take(4, 60)
    budget.give_back(6)
    assert budget.free == 6


async def test_waiting_ends_after_the_patience(looptime: float) -> None:
    budget = ByteBudget(10)
    assert budget.try_take(8)
    assert not await budget.take(5, 2.0)
    assert looptime == 2
    assert not await budget.take(11, 60.0)  # more than there ever is
    assert looptime == 2


async def test_shares_are_given_in_the_order_of_asking() -> None:
    budget = ByteBudget(10)
    assert budget.try_take(10)
    large = asyncio.create_task(budget.take(9, 60))
    await asyncio.sleep(0)
    small = asyncio.create_task(budget.take(1, 60))
    await asyncio.sleep(0)
    budget.give_back(5)
    await asyncio.sleep(1)
    assert not large.done()
    assert not small.done()  # else large shares would never be served
    assert not budget.try_take(1)
    budget.give_back(5)
    await asyncio.wait({large, small})
    assert (large.result(), small.result(), budget.free) == (True, True, 0)


async def test_whoever_stops_waiting_lets_the_next_ones_have_theirs() -> None:
    budget = ByteBudget(10)
    assert budget.try_take(5)
    large = asyncio.create_task(budget.take(9, 60))
    await asyncio.sleep(0)
    small = asyncio.create_task(budget.take(1, 60))
    await asyncio.sleep(0)
    large.cancel()
    assert await small
    assert budget.free == 4


async def test_a_share_that_arrives_with_a_cancellation_is_not_lost() -> None:
    budget = ByteBudget(10)
    assert budget.try_take(10)
    waiting = asyncio.create_task(budget.take(9, 60))
    await asyncio.sleep(0)
    budget.give_back(10)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert budget.free == (1 if waiting.done() and not waiting.cancelled() else 10)
