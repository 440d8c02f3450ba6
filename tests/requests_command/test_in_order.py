from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from dequeuer.requests_command.in_order import in_order


async def numbers(count: int, taken: list[int] | None = None) -> AsyncIterator[int]:
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield number


async def test_results_come_in_the_order_of_the_items_and_so_many_are_under_way() -> None:
    running = most = 0

    async def call(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(100 - number):  # the later ones are quicker
            await asyncio.sleep(0)
        running -= 1
        return number

    async with aclosing(in_order(numbers(50), call, 7)) as results:
        assert [result async for result in results] == list(range(50))
    assert (running, most) == (0, 7)


async def test_a_slow_first_one_holds_the_reading_back() -> None:
    first, taken = asyncio.Event(), list[int]()

    async def call(number: int) -> int:
        if number == 0:
            await first.wait()
        return number

    async with aclosing(in_order(numbers(100, taken), call, 4)) as results:
        waiting = asyncio.create_task(anext(results))
        for _ in range(1000):
            await asyncio.sleep(0)
        assert taken == [0, 1, 2, 3]
        first.set()
        assert await waiting == 0


async def test_a_result_is_given_while_the_next_item_is_waited_for() -> None:
    async def one_and_no_more() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async def call(number: int) -> int:
        return number

    async with aclosing(in_order(one_and_no_more(), call, 4)) as results:
        assert await asyncio.wait_for(anext(results), 60) == 1


@pytest.mark.parametrize("by_caller", [False, True])
async def test_what_is_under_way_is_cancelled_at_an_error_and_when_the_caller_leaves(by_caller: bool) -> None:
    cancelled: list[int] = []

    async def call(number: int) -> int:
        if number == 0:
            if by_caller:
                return 0
            raise ValueError("no")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    async with aclosing(in_order(numbers(3), call, 3)) as results:
        if by_caller:
            assert await anext(results) == 0
            for _ in range(10):
                await asyncio.sleep(0)
        else:
            with pytest.raises(ValueError, match="no"):
                await anext(results)
    assert set(cancelled) <= {1, 2}
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
