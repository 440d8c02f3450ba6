"""A pause: nothing is received, and the work that was received goes on."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.core.readiness import Condition
from tests.worker.stage import Stage, leases

pytestmark = pytest.mark.looptime


def pausable() -> Stage:
    stage = Stage()
    stage.pause = Condition()
    return stage


def pause(stage: Stage, *, is_paused: bool) -> None:
    assert stage.pause is not None
    stage.pause.set(is_open=not is_paused)


async def test_nothing_is_received_until_the_pause_is_over() -> None:
    stage = pausable()
    pause(stage, is_paused=True)
    async with stage.running():
        await asyncio.sleep(3600)
        assert stage.source.limits == []
        pause(stage, is_paused=False)
        stage.source.bring(*leases(1))
        await asyncio.sleep(1)
        assert stage.handler.handled == ["r0"]


async def test_what_was_received_is_worked_off_and_no_receive_follows() -> None:
    stage = pausable()
    stage.handler.takes_s = 1.0
    received = leases(2)
    stage.source.bring(*received)
    async with stage.running():
        await asyncio.sleep(0.5)  # one runs, one is prefetched
        pause(stage, is_paused=True)
        before = len(stage.source.limits)
        await asyncio.sleep(600)
        assert stage.handler.handled == ["r0", "r1"]
        assert [lease.settled for lease in received] == [[("ack", 0)], [("ack", 0)]]
        assert len(stage.source.limits) == before


async def test_what_a_receive_under_way_brings_is_worked_off() -> None:
    stage = pausable()
    async with stage.running():
        await asyncio.sleep(1)
        assert len(stage.source.limits) == 1
        pause(stage, is_paused=True)
        await asyncio.sleep(10)
        late = leases(1)
        stage.source.bring(*late)
        await asyncio.sleep(600)
        assert (stage.handler.handled, late[0].settled) == (["r0"], [("ack", 0)])
        assert len(stage.source.limits) == 1


async def test_a_drain_ends_a_paused_worker_at_once() -> None:
    stage = pausable()
    pause(stage, is_paused=True)
    async with stage.running() as task:
        await asyncio.sleep(1)
        stage.drain.request()
        await asyncio.wait({task}, timeout=1)
        assert task.done()


async def test_many_pauses_in_a_row() -> None:
    stage = pausable()
    async with stage.running():
        for number in range(5):
            pause(stage, is_paused=True)
            await asyncio.sleep(1)
            pause(stage, is_paused=False)
            stage.source.bring(*leases(1))
            await asyncio.sleep(1)
            assert len(stage.handler.handled) == number + 1
