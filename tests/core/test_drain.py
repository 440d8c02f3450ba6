from __future__ import annotations

import asyncio
import gc

import pytest

from dequeuer.core.drain import Drain


async def test_a_part_of_the_start_returns_what_it_returns() -> None:
    async def part() -> int:
        return 7

    assert await Drain().run_until_requested(part(), "part") == 7


async def test_its_errors_pass_through() -> None:
    async def part() -> int:
        raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        await Drain().run_until_requested(part(), "part")


@pytest.mark.parametrize("is_before", [True, False])
async def test_it_is_cancelled_when_the_drain_begins(is_before: bool) -> None:
    drain = Drain()
    ended: list[str] = []

    async def part() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    if is_before:
        drain.request()
    waiting = asyncio.create_task(drain.run_until_requested(part(), "part"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    drain.request()
    await waiting
    assert ended == ["cancelled"]


async def test_an_error_of_a_part_that_is_cancelled_is_no_error_of_the_process() -> None:
    drain, unhandled = Drain(), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unhandled.append(context))

    async def part() -> int:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            raise ValueError("closing failed")

    waiting = asyncio.create_task(drain.run_until_requested(part(), "part"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    drain.request()
    assert await waiting is None
    gc.collect()
    assert not unhandled
