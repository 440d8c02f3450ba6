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
    items: AsyncIterator[A],
    work: Callable[[A], Awaitable[B]],
    *,
    limit: int,
    ordered: bool = False,
    reads_on: bool = False,
) -> AsyncGenerator[B, None]:
    """Yield the result of each item. Close it: it cancels what is under way, and closes a generator of items.

    Errors of `work` are raised when their result is due; so are those of `items`, after all results before them.

    Args:
        items: what to work on. An item is asked for only when it can be begun.
        work: called once for each.
        limit: items that were begun and whose results were not yielded, at most: a caller that takes no results slows
            the stream down.
        ordered: whether results come in the order of the items; else as they are there.
        reads_on: whether the next item is asked for already while the caller works with a result, for which it leaves
            room: the end of the items is known sooner. It is begun when the caller takes the next result.
    """
    begun: deque[asyncio.Task[B]] = deque()
    reading: asyncio.Task[tuple[list[A], Exception | None]] | None = None
    has_more = True
    late: Exception | None = None
    try:
        while True:
            if reading is not None and reading.done():
                read, late = reading.result()
                reading, has_more = None, bool(read)
                for item in read:
                    # A caller whose time is over is cut here: nothing is begun for it.
                    await asyncio.sleep(0)
                    begun.append(asyncio.create_task(run_one(work, item), name="one-of-many"))
                continue
            due = next((one for one in [*begun][: 1 if ordered else None] if one.done()), None)
            leaves = int(reads_on and due is not None)
            if has_more and reading is None and len(begun) - leaves < limit:
                reading = asyncio.create_task(_next(items), name="next-item")
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


async def _next(items: AsyncIterator[A]) -> tuple[list[A], Exception | None]:
    """Return the next item, which is none at the end of the stream or after an error, and the error."""
    try:
        return [await anext(items)], None
    except StopAsyncIteration:
        return [], None
    except Exception as error:  # noqa: BLE001 - raised when it is due
        return [], error
