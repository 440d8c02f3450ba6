"""A controller may be killed at any moment: the one that follows brings the job to the same end, once."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dequeuer.controller.launchers.base import ENQUEUER
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.state import JobState
from tests.controller.stage import KEYS, TASK_KEYS, Calls, Crash, World, make_spec

pytestmark = pytest.mark.looptime


MANIFEST = f"out/{KEYS.job_id}/manifest.json"
QUICK: dict[str, Any] = {"ownership_timeout_s": 6.0, "queue_delay_s": 2.0}


class CrashAt(Calls):
    """Ends the controller at one of its calls: before it has an effect, or after it."""

    def __init__(self, number: int, *, is_after: bool) -> None:
        super().__init__()
        self.has_crashed = False

        async def crash(at: int) -> None:
            if at >= number:
                self.has_crashed = True
                raise Crash

        async def crash_again(_: int) -> None:
            if self.has_crashed:
                raise Crash

        self.before, self.after = (crash_again, crash) if is_after else (crash, None)


async def run_and_crash(world: World, calls: CrashAt, keys: JobKeys) -> None:
    """Run a controller until it is killed, or the job is over; its processes end with it."""
    controller, drain = world.controller(calls)
    running = asyncio.create_task(controller.run())
    await world.until(lambda: calls.has_crashed or world.is_over(keys))
    launcher = world.launchers.pop()
    launcher.processes.clear()
    drain.request()
    await asyncio.wait({running})
    assert running.exception() is None or isinstance(running.exception(), Crash)


async def follow(world: World, keys: JobKeys) -> None:
    controller, drain = world.controller(name="two")
    running = asyncio.create_task(controller.run())
    await world.until(lambda: world.is_over(keys))
    drain.request()
    await running


async def ends_the_same(world: World, keys: JobKeys, state: JobState, decisions: int = 1) -> None:
    assert world.end(keys).state == state
    endings = {"succeeded", "stopped", "completed_with_failures", "worker_error", "unexpected_error", "enqueue_failed"}
    assert world.names(keys) & endings == {state}
    assert world.sqs.queues == {}
    assert not {name for name in world.names(keys) if name.startswith("owner/")}
    ends = [key for op, key in world.store.journal if op == "put" and key == keys.end]
    assert 1 <= len(ends) <= decisions


async def crashes(
    keys: JobKeys,
    state: JobState,
    *,
    is_after: bool,
    batches: int = 2,
    stops: bool = False,
    output: str | None = None,
    lost: frozenset[int] = frozenset(),
) -> AsyncIterator[World]:
    """Yield a world for each call at which a controller was killed; the job has ended there, with the next one."""
    for number in itertools.count(1):
        at, calls = World(batches=batches, lost=lost, **QUICK), CrashAt(number, is_after=is_after)
        at.submit(keys, make_spec(keys, workers=1, output_s3_path=output))
        stopping = asyncio.create_task(_stop_later(at)) if stops else None
        await run_and_crash(at, calls, keys)
        if stopping is not None:
            await stopping
        if calls.has_crashed:
            if not at.is_over(keys):
                await follow(at, keys)
            # What is missing among the results is added to the decision, by each of two controllers at most.
            await ends_the_same(at, keys, state, decisions=3 if lost else 1)
            yield at
        at.end_turning()
        if not calls.has_crashed:
            return


async def _stop_later(world: World) -> None:
    await asyncio.sleep(4)
    world.store.objects[KEYS.stop] = (b"", None)


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
async def test_a_job_ends_once_wherever_its_controller_is_killed(world: World, is_after: bool) -> None:
    count = 0
    async for at in crashes(KEYS, "succeeded", is_after=is_after):
        count += 1
        assert at.completions == 1
        assert json.loads(at.store.objects[KEYS.metrics][0])["succeeded"] == 2
        # Once for each of the two controllers, at most.
        assert max(at.started.count(name) for name in {ENQUEUER, "worker-0"}) <= 2
    assert count >= 60


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
async def test_a_job_has_one_manifest_wherever_its_controller_is_killed(world: World, is_after: bool) -> None:
    count = 0
    lost = frozenset({1})
    async for at in crashes(KEYS, "completed_with_failures", is_after=is_after, output="s3://results/out", lost=lost):
        count += 1
        assert [op for op, key in at.output.journal if key == MANIFEST] == ["put"]
        found = json.loads(at.output.objects[MANIFEST][0])
        assert (found["status"], len(found["objects"])) == ("completed_with_failures", 1)
        assert found["items"] == {"total": 20, "succeeded": 10, "failed": 0, "missing": 10}
        assert at.end().error is not None
        assert json.loads(at.store.objects[KEYS.progress][0])["progress"]["items_failed"] == 10
    assert count >= 70


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
async def test_a_stopped_job_is_stopped_wherever_its_controller_is_killed(world: World, is_after: bool) -> None:
    found = [at async for at in crashes(KEYS, "stopped", is_after=is_after, batches=1000, stops=True)]
    assert len(found) >= 30


async def test_a_task_ends_once_wherever_its_controller_is_killed(world: World) -> None:
    assert len([at async for at in crashes(TASK_KEYS, "succeeded", is_after=True)]) >= 20
