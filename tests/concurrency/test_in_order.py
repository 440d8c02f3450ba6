from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from dequeuer.concurrency.in_order import each, in_order

pytestmark = pytest.mark.looptime


async def numbers(count: int, error: Exception | None = None) -> AsyncIterator[int]:
    for number in range(count):
        yield number
    if error is not None:
        raise error


async def test_results_come_in_the_order_of_the_items_whatever_ends_first(looptime: float) -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(10 - number)
        return number * number

    assert [one async for one in in_order(numbers(10), work, max_ahead=10)] == [(n, n * n) for n in range(10)]
    assert looptime == 10


async def test_items_that_are_there_already_are_a_stream() -> None:
    async def work(text: str) -> str:
        return text.upper()

    assert [one async for one in in_order(each("ab"), work, max_ahead=1)] == [("a", "A"), ("b", "B")]


async def test_no_more_items_are_begun_than_allowed() -> None:
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)

    async with aclosing(in_order(numbers(100), work, max_ahead=4)) as results:
        await anext(results)
        await asyncio.sleep(1)
        assert begun == [0, 1, 2, 3]
        await anext(results)
        await asyncio.sleep(1)
        assert begun == [0, 1, 2, 3, 4]


async def test_no_more_bytes_are_ahead_than_allowed_but_for_one_item() -> None:
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)

    async with aclosing(in_order(numbers(100), work, max_ahead=50, size=lambda _: 10, max_size=25)) as results:
        await anext(results)
        await asyncio.sleep(1)
        assert begun == [0, 1, 2]


async def test_an_error_comes_when_its_item_is_due() -> None:
    async def work(number: int) -> int:
        if number == 2:
            raise ValueError("2")
        await asyncio.sleep(5)
        return number

    found: list[int] = []
    with pytest.raises(ValueError, match="2"):
        async for _, result in in_order(numbers(5), work, max_ahead=5):
            found.append(result)
    assert found == [0, 1]


async def test_an_error_of_the_items_comes_after_all_before_it() -> None:
    async def work(number: int) -> int:
        return number

    found: list[int] = []
    with pytest.raises(ValueError, match="late"):
        async for _, result in in_order(numbers(3, ValueError("late")), work, max_ahead=8):
            found.append(result)
    assert found == [0, 1, 2]


async def test_closing_it_cancels_what_is_under_way() -> None:
    cancelled: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.sleep(1 if number == 0 else 1000)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    async with aclosing(in_order(numbers(3), work, max_ahead=3)) as results:
        await anext(results)
    assert cancelled == [1, 2]
