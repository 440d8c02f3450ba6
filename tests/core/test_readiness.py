"""Conditions for receiving."""

from __future__ import annotations

import asyncio

from dequeuer.core.readiness import AllOf, Condition


async def test_all_of_is_open_while_every_part_is() -> None:
    first, second = Condition(), Condition(is_open=False)
    both = AllOf(first, second)
    seen = [both.is_open]
    for part, is_open in ((second, True), (first, False)):
        part.set(is_open=is_open)
        seen.append(both.is_open)
    assert seen == [False, True, False]


async def test_it_waits_for_all_parts_at_the_same_time() -> None:
    first, second = Condition(is_open=False), Condition(is_open=False)
    waiting = asyncio.create_task(AllOf(first, second).wait_open())
    await asyncio.sleep(0)
    first.set(is_open=True)
    await asyncio.sleep(0)
    first.set(is_open=False)
    second.set(is_open=True)
    await asyncio.sleep(0.1)
    assert not waiting.done()
    first.set(is_open=True)
    await asyncio.wait_for(waiting, 1)


async def test_one_closed_part_closes_it_and_no_task_stays_behind() -> None:
    first, second = Condition(), Condition()
    waiting = asyncio.create_task(AllOf(first, second).wait_closed())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    second.set(is_open=False)
    await asyncio.wait_for(waiting, 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_cancelled_wait_for_a_closed_part_leaves_no_task() -> None:
    waiting = asyncio.create_task(AllOf(Condition(), Condition()).wait_closed())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert asyncio.all_tasks() == {asyncio.current_task()}
