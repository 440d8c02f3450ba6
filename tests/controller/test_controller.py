"""Which jobs a controller takes, and how it leaves them to others."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from dequeuer.controller import objects
from dequeuer.controller.launchers.base import ENQUEUER
from dequeuer.core.events import Event, JobOwnershipChanged
from dequeuer.jobs.layout import JobKeys
from tests.controller.lives import run_to_end, running
from tests.controller.stage import KEYS, World, make_spec

pytestmark = pytest.mark.looptime


async def test_jobs_of_apis_that_are_not_served_are_left_alone_unless_they_are_stopped(world: World) -> None:
    world.submit()
    async with running(world, serves=lambda _: False):
        await asyncio.sleep(100)
        assert (world.started, "end.json" in world.names()) == ([], False)
        world.store.objects[KEYS.stop] = (b"", None)
        await world.until(world.is_over)
    assert world.end().state == "stopped"


async def test_jobs_beyond_the_limit_wait_and_the_most_urgent_one_goes_first(world: World) -> None:
    keys = [dataclasses.replace(KEYS, job_id=f"job-{number}") for number in range(3)]
    for priority, one in enumerate(keys):
        world.submit(one, make_spec(one, priority=priority))
    world.works = False
    async with running(world, max_jobs=1):
        await world.until(lambda: world.started)
        await asyncio.sleep(100)
        assert [one.job_id for one in keys if "enqueuing" in world.names(one)] == ["job-2"]


async def test_a_drain_leaves_the_job_to_the_next_controller_at_once(world: World) -> None:
    world.batches = 30
    world.submit()
    async with running(world):
        await world.until(lambda: world.done >= 3)
    assert not world.is_over()
    assert sorted(world.stopped) == [ENQUEUER, "worker-0", "worker-1"]
    began_at = asyncio.get_running_loop().time()
    async with running(world, name="two"):
        await world.until(lambda: world.started.count("worker-0") == 2)
        assert asyncio.get_running_loop().time() - began_at < 10
        await world.until(world.is_over)
    assert world.end().state == "succeeded"


async def test_a_job_that_ends_as_the_drain_begins_is_not_given_up(world: World) -> None:
    world.submit()
    controller, drain = world.controller()
    observer = controller._services.observer

    def drain_at_the_end(event: Event) -> None:
        observer(event)
        if isinstance(event, JobOwnershipChanged) and event.reason == "ended":
            drain.request()

    object.__setattr__(controller._services, "observer", drain_at_the_end)
    async with asyncio.timeout(600):
        await controller.run()
    assert world.is_over()
    assert [event.reason for event in world.recorder.of(JobOwnershipChanged)] == ["", "ended"]
    assert not {name for name in world.names() if name.startswith("owner/")}


async def test_a_job_that_ends_while_jobs_are_listed_is_not_claimed_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.submit()
    controller, drain = world.controller()
    unfinished = controller._unfinished

    async def list_slowly() -> list[JobKeys]:
        found = await unfinished()
        if controller._running:
            await world.until(lambda: not controller._running)
        return found

    monkeypatch.setattr(controller, "_unfinished", list_slowly)
    running = asyncio.create_task(controller.run())
    await world.until(world.is_over)
    await asyncio.sleep(10)
    drain.request()
    await running
    assert [event.reason for event in world.recorder.of(JobOwnershipChanged)] == ["", "ended"]


async def test_objects_that_are_far_too_large_delay_no_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MAX_OBJECT_BYTES", 2000)
    world.submit()
    world.store.objects[f"{KEYS.workers}a.json"] = (b"x" * 2001, None)
    assert (await run_to_end(world)).state == "succeeded"
