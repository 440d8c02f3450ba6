"""Jobs that end before everything is done: by a client, the timeout, the submission, the workers or the queue."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.controller import objects
from dequeuer.controller.launchers.base import ENQUEUER, ProcessState
from dequeuer.jobs.enqueue_error import EnqueueError, dump_error
from tests.controller.lives import error_of, run_to_end, running, until_over
from tests.controller.stage import KEYS, QUEUE, World, make_spec

pytestmark = pytest.mark.looptime


async def test_an_enqueuer_that_gives_up_ends_the_job_with_its_error(world: World) -> None:
    world.batches = 100
    world.submit()
    async with until_over(world):
        await world.until(lambda: world.done >= 3)
        fault = EnqueueError(message="too large", source="s3://bucket/key", offset=7)
        world.store.objects[KEYS.enqueue_error] = (dump_error(fault), None)
        world.launchers[0].end(ENQUEUER)
    end = world.end()
    assert end.state == "enqueue_failed"
    error = error_of(end)
    assert (error.message, error.source, error.offset) == ("too large", "s3://bucket/key", 7)
    assert world.sqs.purged == [QUEUE]
    assert KEYS.payload not in world.store.objects


async def test_an_enqueuer_that_never_gets_anywhere_ends_the_job(world: World) -> None:
    world.starts[ENQUEUER] = [ProcessState(phase="failed", detail="ended with exit status 2")] * 9
    world.submit()
    end = await run_to_end(world)
    assert end.state == "enqueue_failed"
    assert error_of(end).message == "ended with exit status 2"
    assert len(world.started) == 5


async def test_workers_that_end_at_start_five_times_end_the_job(world: World) -> None:
    broken = ProcessState(phase="failed", detail="ended with exit status 1\nImportError: torch")
    world.starts = {"worker-0": [broken] * 9, "worker-1": [broken] * 9}
    world.submit()
    end = await run_to_end(world)
    assert end.state == "worker_error"
    assert error_of(end).message == "ended with exit status 1\nImportError: torch"
    assert 5 <= len([name for name in world.started if name != ENQUEUER]) <= 6


async def test_workers_without_memory_end_the_job_as_such(world: World) -> None:
    world.starts = {"worker-0": [ProcessState(phase="killed_oom", detail="ran out of memory")] * 9}
    world.submit(spec=make_spec(workers=1))
    assert (await run_to_end(world)).state == "worker_oom"


async def test_one_worker_that_becomes_ready_forgives_the_failures_of_others(world: World) -> None:
    broken = ProcessState(phase="failed", detail="ended with exit status 1")
    world.batches = 40
    world.starts = {"worker-1": [broken] * 7}
    world.submit()
    assert (await run_to_end(world)).state == "succeeded"


async def test_a_stop_ends_the_job_whatever_it_does(world: World) -> None:
    world.batches = 1000
    world.submit()
    async with until_over(world, within_s=10):
        await world.until(lambda: world.sent > 1)
        assert KEYS.max_batch_count not in world.store.objects
        world.store.objects[KEYS.stop] = (b"", None)
    assert world.end().state == "stopped"
    assert (world.sqs.purged, world.sqs.deleted, world.sqs.queues) == ([QUEUE], [QUEUE], {})
    assert sorted(world.stopped) == [ENQUEUER, "worker-0", "worker-1"]


async def test_a_stop_before_the_start_creates_no_queue(world: World) -> None:
    world.submit()
    world.store.objects[KEYS.stop] = (b"", None)
    assert (await run_to_end(world)).state == "stopped"
    assert (world.sqs.created, world.started) == ([], [])


async def test_the_timeout_counts_from_the_submission(world: World) -> None:
    world.works = False
    world.submit(spec=make_spec(timeout_s=300))
    await asyncio.sleep(200)
    assert (await run_to_end(world)).state == "timed_out"
    assert asyncio.get_running_loop().time() == pytest.approx(300, abs=15)


async def test_a_deleted_queue_ends_the_job(world: World) -> None:
    world.batches = 1000
    world.submit()
    async with until_over(world):
        await world.until(lambda: world.done >= 3)
        world.sqs.queues.clear()
    assert world.end().state == "unexpected_error"


async def test_a_dead_letter_queue_that_does_not_exist_is_told(world: World) -> None:
    world.sqs.refusal = "InvalidParameterValue"
    world.submit()
    end = await run_to_end(world)
    assert end.state == "enqueue_failed"
    assert "cannot be created" in error_of(end).message


async def test_a_specification_that_cannot_be_read_ends_the_job(world: World) -> None:
    world.submit()
    world.store.objects[KEYS.spec] = (b"{", None)
    assert (await run_to_end(world)).state == "unexpected_error"


async def test_a_job_without_a_specification_is_forgotten(world: World) -> None:
    world.submit()
    del world.store.objects[KEYS.spec]
    async with running(world):
        await world.until(world.is_over)
    assert KEYS.end not in world.store.objects


async def test_a_stop_is_a_stop_whatever_its_size(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MAX_OBJECT_BYTES", 2000)
    world.submit()
    world.store.objects[KEYS.stop] = (b"x" * 2001, None)
    assert (await run_to_end(world)).state == "stopped"
