"""Works on the items of a stream, some of them ahead, and yields what comes of each in the order of the stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def in_order(
    items: AsyncIterator[A],
    work: Callable[[A], Awaitable[B]],
    *,
    max_ahead: int,
    size: Callable[[A], int] = lambda _: 0,
    max_size: int = 0,
) -> AsyncGenerator[tuple[A, B], None]:
    """Yield each item and the result of its work. Close it: it cancels what is under way.

    Errors of `work` are raised when their item is due; so are those of `items`, after all items before them.

    Args:
        items: what to work on.
        work: called for the next item and for those after it.
        max_ahead: items at a time.
        size: of an item, such as the bytes that its result holds.
        max_size: no item is begun while those that are under way, or wait to be due, have this size together.
    """
    ahead: deque[tuple[A, asyncio.Task[B]]] = deque()
    total = 0
    has_more = True
    late: Exception | None = None
    try:
        while True:
            while has_more and len(ahead) < max_ahead and (total < max_size or not max_size or not ahead):
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    has_more = False
                    break
                except Exception as error:  # noqa: BLE001 - raised below, when it is due
                    has_more, late = False, error
                    break
                total += size(item)
                ahead.append((item, asyncio.create_task(run_one(work, item), name="ahead")))
            if not ahead:
                break
            item, task = ahead[0]
            result = await task
            ahead.popleft()
            total -= size(item)
            yield item, result
            del item, result, task
        if late is not None:
            raise late
    finally:
        await cancel_all([task for _, task in ahead])


async def each(items: Iterable[A]) -> AsyncGenerator[A, None]:
    """Yield items that are there already, as a stream for `in_order`."""
    for item in items:
        yield item


async def cancel_all(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def run_one(work: Callable[[A], Awaitable[B]], item: A) -> B:
    """Return the result of the work on an item: a task needs a coroutine, and an awaitable may be none."""
    return await work(item)
