"""Does something for many things at a time, and gives the results in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_order(
    items: AsyncIterator[T], call: Callable[[T], Awaitable[R]], concurrency: int
) -> AsyncGenerator[R, None]:
    """Yield what `call` returns for each item, in the order of the items.

    An item is taken only when fewer than `concurrency` are under way or wait for those before them. A result is given
    as soon as those before it are, also while the next item is waited for. The first error ends it; calls that are
    under way are cancelled then, and waited for.
    """
    calls: deque[asyncio.Task[R]] = deque()
    taking: asyncio.Task[T] | None = None
    is_over = False
    try:
        while True:
            if taking is None and not is_over and len(calls) < concurrency:
                taking = asyncio.create_task(_next(items))
            waited: list[asyncio.Task[T] | asyncio.Task[R]] = [*([taking] if taking else []), *list(calls)[:1]]
            if not waited:
                return
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            while calls and calls[0].done():
                yield calls.popleft().result()
            if taking is not None and taking.done():
                done, taking = taking, None
                try:
                    item = done.result()
                except _OverError:
                    is_over = True
                else:
                    calls.append(asyncio.create_task(_run(call, item)))
    finally:
        left = [*calls, *([taking] if taking else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class _OverError(Exception):
    """There are no more items. A task cannot end with `StopAsyncIteration`."""


async def _next(items: AsyncIterator[T]) -> T:
    try:
        return await anext(items)
    except StopAsyncIteration:
        raise _OverError from None


async def _run(call: Callable[[T], Awaitable[R]], item: T) -> R:
    return await call(item)
