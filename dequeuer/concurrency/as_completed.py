"""Works on the items of a stream, some at a time, and yields what comes of each: as it comes, or in their order.

Unlike `in_order` it yields results while the stream has no next item yet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from dequeuer.concurrency.in_order import cancel_all, run_one

A = TypeVar("A")
B = TypeVar("B")


async def as_completed(
    items: AsyncIterator[A], work: Callable[[A], Awaitable[B]], *, limit: int, ordered: bool = False
) -> AsyncGenerator[B, None]:
    """Yield the result of each item. Close it: it cancels what is under way, and closes a generator of items.

    Errors of `work` are raised when their result is due; so are those of `items`, after all results before them.

    Args:
        items: what to work on. An item is asked for only when it can be begun.
        work: called once for each.
        limit: items that were begun and whose results were not yielded, at most: a caller that takes no results slows
            the stream down.
        ordered: whether results come in the order of the items; else as they are there.
    """
    begun: deque[asyncio.Task[B]] = deque()
    reading: asyncio.Task[list[A]] | None = None
    has_more = True
    late: Exception | None = None
    try:
        while True:
            if has_more and reading is None and len(begun) < limit:
                reading = asyncio.create_task(_next(items), name="next-item")
            if reading is not None and reading.done():
                task, reading = reading, None
                try:
                    begun += [asyncio.create_task(run_one(work, item), name="one-of-many") for item in task.result()]
                    has_more = bool(task.result())
                except Exception as error:  # noqa: BLE001 - raised below, when it is due
                    has_more, late = False, error
                continue
            due = next((one for one in [*begun][: 1 if ordered else None] if one.done()), None)
            if due is not None:
                begun.remove(due)
                yield due.result()
                continue
            # In order only the first one counts: others that are done would end each wait at once.
            waited: list[asyncio.Task[Any]] = [*begun][: 1 if ordered else None]
            if reading is not None:
                waited.append(reading)
            if not waited:
                break
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if late is not None:
            raise late
    finally:
        await cancel_all([*begun, *([reading] if reading is not None else [])])
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _next(items: AsyncIterator[A]) -> list[A]:
    """Return the next item; none at the end of the stream."""
    try:
        return [await anext(items)]
    except StopAsyncIteration:
        return []
