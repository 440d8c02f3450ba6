from __future__ import annotations

import asyncio

import pytest

from dequeuer.concurrency.turns import turn

pytestmark = pytest.mark.looptime


class BusyError(Exception):
    pass


async def test_who_gets_no_turn_in_time_is_told_so_and_takes_none(looptime: float) -> None:
    turns = asyncio.Semaphore(1)
    async with turn(turns, 10, BusyError()):
        with pytest.raises(BusyError) as caught:
            async with turn(turns, 10, BusyError()):
                pytest.fail("there was one turn")
        assert caught.value.__suppress_context__
        assert looptime == 10
    async with turn(turns, 10, BusyError()):
        assert turns.locked()
    assert not turns.locked()


@pytest.mark.parametrize("error", [ValueError, TimeoutError])
async def test_an_error_during_a_turn_is_passed_on_and_ends_the_turn(error: type[Exception]) -> None:
    turns = asyncio.Semaphore(1)
    with pytest.raises(error):
        async with turn(turns, 10, BusyError()):
            raise error
    assert not turns.locked()


async def test_who_leaves_while_it_waits_or_has_a_turn_keeps_none() -> None:
    turns = asyncio.Semaphore(1)

    async def hold() -> None:
        async with turn(turns, 100, BusyError()):
            await asyncio.Event().wait()

    holding, waiting = asyncio.create_task(hold()), asyncio.create_task(hold())
    await asyncio.sleep(1)
    for task in (waiting, holding):
        task.cancel()
    await asyncio.wait({holding, waiting})
    assert not turns.locked()
