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


async def test_a_drain_that_was_begun_ends_the_process_at_the_first_request_and_is_forced_by_the_second() -> None:
    drain = Drain()
    drain.begin()
    drain.begin()
    await drain.wait_requested()
    waiting = asyncio.create_task(drain.wait_end_requested())
    await asyncio.sleep(0)
    assert not waiting.done()
    drain.request()
    await waiting
    assert not drain.is_forced
    drain.request()
    assert drain.is_forced
