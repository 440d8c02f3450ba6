from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from dequeuer.concurrency.as_completed import as_completed
from dequeuer.concurrency.in_order import each

pytestmark = pytest.mark.looptime


class Work:
    """Takes as many seconds as its item says; a negative item is an error after that time."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.begun: list[float] = []
        self.cancelled: list[float] = []

    async def __call__(self, item: float) -> float:
        self.begun.append(item)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(abs(item))
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        finally:
            self.running -= 1
        if item < 0:
            raise ValueError(str(item))
        return item


@pytest.fixture
def work() -> Work:
    return Work()


async def test_results_come_as_they_are_there(work: Work, looptime: float) -> None:
    items = each([5, 1, 3, 1, 1])
    assert [result async for result in as_completed(items, work, limit=3)] == [1, 1, 3, 1, 5]
    assert (work.most, looptime) == (3, 5)


async def test_results_come_in_order_when_that_is_wanted(work: Work, looptime: float) -> None:
    items = each([5, 1, 3, 1, 1])
    assert [result async for result in as_completed(items, work, limit=3, ordered=True)] == [5, 1, 3, 1, 1]
    assert (work.most, looptime) == (3, 6)


async def test_a_thousand_items_keep_to_the_limit(work: Work) -> None:
    items = each([(number * 7) % 11 for number in range(1000)])
    found = [result async for result in as_completed(items, work, limit=10)]
    assert sorted(found) == sorted((number * 7) % 11 for number in range(1000))
    assert work.most == 10


@pytest.mark.parametrize("ordered", [False, True])
async def test_no_item_is_begun_for_a_caller_that_takes_no_results(work: Work, *, ordered: bool) -> None:
    async with aclosing(as_completed(each([1] * 100), work, limit=4, ordered=ordered)) as results:
        await anext(results)
        await asyncio.sleep(50)
        # The one that was yielded, those that wait to be, and the next one, for which there is room again.
        assert len(work.begun) <= 5
    assert len(work.begun) <= 5


async def test_the_next_item_is_read_while_the_caller_works_only_when_that_is_wanted(work: Work) -> None:
    for reads_on in (True, False):
        read: list[float] = []
        work.begun.clear()

        async def items(read: list[float] = read) -> AsyncIterator[float]:
            for item in (1.0, 2.0, 3.0):
                read.append(item)
                yield item

        async with aclosing(as_completed(items(), work, limit=1, reads_on=reads_on)) as results:
            assert await anext(results) == 1.0
            await asyncio.sleep(50)
            assert (read, work.begun) == ([1.0, 2.0] if reads_on else [1.0], [1.0])
            assert [result async for result in results] == [2.0, 3.0]


async def test_results_do_not_wait_for_the_next_item(work: Work) -> None:
    arrived = asyncio.Event()

    async def slow() -> AsyncIterator[float]:
        yield 1.0
        await arrived.wait()
        yield 2.0

    async with aclosing(as_completed(slow(), work, limit=4, ordered=True)) as results:
        assert await anext(results) == 1.0
        arrived.set()
        assert [result async for result in results] == [2.0]


async def test_an_error_of_the_items_comes_after_all_results(work: Work) -> None:
    async def broken() -> AsyncIterator[float]:
        yield 3.0
        yield 1.0
        raise OSError("the file has gone")

    found = []
    with pytest.raises(OSError, match="the file has gone"):
        async for result in as_completed(broken(), work, limit=4):
            found.append(result)  # noqa: PERF401 - those before the error are looked at
    assert found == [1.0, 3.0]


async def test_an_error_of_the_work_ends_the_others(work: Work) -> None:
    with pytest.raises(ValueError, match="-1"):
        [result async for result in as_completed(each([9.0, -1.0, 9.0]), work, limit=4)]
    assert work.cancelled == [9.0, 9.0]


async def test_a_caller_that_leaves_ends_the_work_and_the_generator(work: Work) -> None:
    ended: list[str] = []

    async def endless() -> AsyncGenerator[float, None]:
        try:
            while True:
                yield 5.0
        finally:
            ended.append("closed")

    results = as_completed(endless(), work, limit=4)
    await anext(results)
    await results.aclose()
    assert (work.running, ended) == (0, ["closed"])

    async def take() -> None:
        async with aclosing(as_completed(endless(), work, limit=4)) as more:
            async for _ in more:
                pass

    task = asyncio.create_task(take())
    await asyncio.sleep(7)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (work.running, ended) == (0, ["closed"] * 2)


async def test_an_item_that_is_being_read_is_not_waited_for_at_the_end(work: Work) -> None:
    cut: list[str] = []

    async def stuck() -> AsyncIterator[float]:
        yield 1.0
        try:
            await asyncio.Event().wait()
        finally:
            cut.append("cut")

    results = as_completed(stuck(), work, limit=4)
    assert await anext(results) == 1.0
    await results.aclose()
    assert cut == ["cut"]
