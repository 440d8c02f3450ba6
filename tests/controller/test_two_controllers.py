"""Two controllers on one bucket: each job runs once, however their calls follow each other."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import pytest

from dequeuer.controller import controller as controller_module
from dequeuer.controller.launchers.base import ENQUEUER
from dequeuer.controller.runner import JobRunner
from dequeuer.core.errors import StoreDeniedError
from dequeuer.core.events import JobOwnershipChanged
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.spec import JobSpec
from tests.controller.stage import KEYS, Calls, World, make_spec

pytestmark = pytest.mark.looptime

STALL_S = 15.0
"""Longer than the time after which a silent owner loses its jobs."""


class StallAt(Calls):
    """Lets a controller stand still at one of its calls; other calls of it wait, too.

    Args:
        number: of the call.
        where: `before` the call is sent, `after` its effect, or `between`: it was sent, and has its effect late, although
            the controller may have given it up.
    """

    def __init__(self, number: int, where: str) -> None:
        super().__init__()
        self._number = number
        self._where = where
        self._until = 0.0
        self._late: asyncio.Task[Any] | None = None
        self.before = self.after = self._wait

    async def _wait(self, at: int) -> None:
        await asyncio.sleep(max(0.0, self._until - asyncio.get_running_loop().time()))

    async def through(self, call: Callable[[], Awaitable[Any]]) -> Any:
        async def slow() -> Any:
            self._until = asyncio.get_running_loop().time() + STALL_S
            if self._where == "after":
                return await call()
            await self._wait(0)
            return await call()

        if self.count + 1 != self._number:
            return await super().through(call)
        if self._where != "between":
            return await super().through(slow)
        self.count += 1
        self._late = asyncio.create_task(slow())
        return await asyncio.shield(self._late)


async def run_two(world: World, one: Calls, two: Calls) -> None:
    controllers = [world.controller(calls, name) for calls, name in ((one, "one"), (two, "two"))]
    running = []
    for controller, _ in controllers:
        running.append(asyncio.create_task(controller.run()))
        await asyncio.sleep(0.5)
    await world.until(world.is_over)
    await asyncio.sleep(STALL_S)  # whoever stood still goes on
    for _, drain in controllers:
        drain.request()
    await asyncio.gather(*running)
    world.end_turning()


def claims(world: World) -> list[str]:
    return [key for key in world.store.objects if key.startswith(f"{KEYS.prefix}owner/")]


def has_run_once(world: World) -> None:
    assert world.end().state == "succeeded"
    assert world.completions == 1
    assert [key for op, key in world.store.journal if op == "put"].count(KEYS.end) == 1
    assert world.sqs.queues == {}
    assert world.is_over()
    owned = len([event for event in world.recorder.of(JobOwnershipChanged) if event.is_owned])
    for name in (ENQUEUER, "worker-0"):
        assert world.started.count(name) <= owned
    assert not any(launcher.processes for launcher in world.launchers)


@pytest.mark.parametrize("where", ["before", "between", "after"])
async def test_an_owner_that_stands_still_anywhere_does_no_harm(world: World, where: str) -> None:
    number = 0
    while True:
        number += 1
        at, calls = World(batches=2, ownership_timeout_s=6.0, queue_delay_s=2.0), StallAt(number, where)
        at.submit(spec=make_spec(workers=1))
        await run_two(at, calls, Calls())
        has_run_once(at)
        # A sign of life that is applied after the end, long after it was given up, stays.
        assert where == "between" or claims(at) == []
        if calls.count < number:
            break
    assert number > 60


async def test_a_process_whose_start_was_given_up_is_stopped_when_it_comes(world: World) -> None:
    controller, drain = world.controller()
    [launcher] = world.launchers
    start = launcher.start

    async def start_late(keys: JobKeys, spec: JobSpec, name: str) -> None:
        async def late() -> None:
            await asyncio.sleep(STALL_S)
            await start(keys, spec, name)

        await asyncio.shield(asyncio.create_task(late()))

    launcher.start = start_late  # type: ignore[method-assign]
    world.submit()
    running = asyncio.create_task(controller.run())
    await world.until(lambda: KEYS.marker("enqueuing") in world.store.objects)
    await asyncio.sleep(5)  # the enqueuer is being started
    drain.request()
    await running
    await asyncio.sleep(2 * STALL_S)
    assert world.started == world.stopped == [ENQUEUER]
    assert not launcher.processes
    world.end_turning()


@pytest.mark.parametrize("order", range(10))
async def test_calls_in_any_order_run_the_job_once(world: World, order: int) -> None:
    chance = random.Random(order)

    async def delay(_: int) -> None:
        await asyncio.sleep(chance.choice([0.0, 0.0, 0.0, 0.1, 1.0]))

    at, one, two = World(batches=5), Calls(), Calls()
    one.before = one.after = two.before = two.after = delay
    at.submit(spec=make_spec(workers=1))
    await run_two(at, one, two)
    has_run_once(at)
    assert claims(at) == []
    assert at.started.count(ENQUEUER) == at.started.count("worker-0") == 1


async def test_a_claim_whose_creation_had_no_answer_is_deleted_when_the_job_has_ended_meanwhile(world: World) -> None:
    create = world.store.create

    async def without_answer(key: str, *args: Any, **kwargs: Any) -> bool:
        await create(key, *args, **kwargs)
        if "/owner/" in key:
            # The other controller has just deleted all claims; now it deletes the entry in the index.
            del world.store.objects[KEYS.in_progress]
        return False  # as when it is sent again after the response was lost

    world.store.create = without_answer  # type: ignore[method-assign]
    world.submit()
    controller, drain = world.controller()
    running = asyncio.create_task(controller.run())
    await world.until(lambda: ("put", f"{KEYS.prefix}owner/00000001") in world.store.journal)
    await asyncio.sleep(10)
    drain.request()
    await running
    assert not {name for name in world.names() if name.startswith("owner/")}
    world.end_turning()


async def test_a_claim_that_cannot_be_deleted_keeps_no_other_job_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dataclasses.replace(KEYS, job_id="67a0000000000002")
    world.submit()
    controller, drain = world.controller()
    allowed = asyncio.Event()

    class Claimed(JobRunner):
        async def try_acquire(self) -> bool:
            if self._keys == other:
                return await super().try_acquire()
            del world.store.objects[KEYS.in_progress]  # it ends with its other controller
            return False

        async def withdraw(self) -> None:
            if not allowed.is_set():
                raise StoreDeniedError("s3:DeleteObject")
            withdrawn.set()

    withdrawn = asyncio.Event()
    monkeypatch.setattr(controller_module, "JobRunner", Claimed)
    running = asyncio.create_task(controller.run())
    await world.until(lambda: KEYS.in_progress not in world.store.objects)
    world.submit(other)
    await world.until(lambda: world.is_over(other))
    allowed.set()
    await world.until(withdrawn.is_set)
    drain.request()
    await running
    world.end_turning()


async def test_what_a_late_enqueuer_writes_after_the_end_is_deleted(world: World) -> None:
    world.ownership_timeout_s, world.enqueues = 6.0, False
    world.submit()
    calls, is_away = Calls(), asyncio.Event()

    async def stand_still(_: int) -> None:
        if is_away.is_set():
            await asyncio.sleep(STALL_S)

    calls.before = stand_still
    one, drain_one = world.controller(calls, "one")
    [launcher] = world.launchers
    stop = launcher.stop

    async def stop_late(keys: JobKeys, names: Collection[str]) -> None:
        await world.until(world.is_over)
        world.store.objects[KEYS.checkpoint] = (b"{}", None)
        await stop(keys, names)

    launcher.stop = stop_late  # type: ignore[method-assign]
    running = [asyncio.create_task(one.run())]
    await world.until(lambda: ENQUEUER in world.started)
    is_away.set()
    two, drain_two = world.controller(name="two")
    running.append(asyncio.create_task(two.run()))
    world.store.objects[KEYS.stop] = (b"", None)
    await world.until(lambda: KEYS.checkpoint in world.store.objects)
    is_away.clear()
    await world.until(lambda: not launcher.processes)
    await asyncio.sleep(STALL_S)
    assert not {"checkpoint.json", "payload.json"} & world.names()
    for drain in (drain_one, drain_two):
        drain.request()
    await asyncio.gather(*running)
    world.end_turning()
