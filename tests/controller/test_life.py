"""Jobs from submission to their end, with one controller."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dequeuer.controller import objects
from dequeuer.controller.launchers.base import ENQUEUER, ProcessState
from dequeuer.core.events import Event, JobChanged, JobMeasured, JobObserved, JobOwnershipChanged, JobPassFailed
from dequeuer.jobs.documents import JobEnd, JobError
from dequeuer.jobs.enqueue_error import EnqueueError, dump_error
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.spec import DeadLetterQueue, parse_spec
from dequeuer.jobs.state import state_of
from tests.controller.stage import KEYS, TASK_KEYS, World, make_spec

pytestmark = pytest.mark.looptime

LAG_S = 8.0
"""How far the counts of the queue lag behind: less than the `queue_delay_s` of the world."""
QUEUE = "cx_1ee11af4_b_sum_67a0000000000001.fifo"


@asynccontextmanager
async def running(world: World, **more: Any) -> AsyncIterator[None]:
    controller, drain = world.controller(**more)
    task = asyncio.create_task(controller.run())
    yield
    drain.request()
    await task


@asynccontextmanager
async def until_over(world: World, *, within_s: float = 600.0) -> AsyncIterator[None]:
    async with running(world):
        yield
        await world.until(world.is_over, within_s)


async def run_to_end(world: World) -> JobEnd:
    async with until_over(world):
        pass
    return world.end()


def error_of(end: JobEnd) -> JobError:
    assert end.error is not None
    return end.error


def state(world: World, keys: JobKeys = KEYS) -> str:
    return state_of(world.names(keys), keys.kind)


async def test_a_job_runs_from_submission_to_succeeded(world: World) -> None:
    world.submit()
    assert (await run_to_end(world)).state == "succeeded"
    assert world.completions == 1
    assert state(world) == "succeeded"
    assert world.sqs.queues == {}
    assert sorted(world.started) == [ENQUEUER, "worker-0", "worker-1"]
    metrics = json.loads(world.store.objects[KEYS.metrics][0])
    assert metrics == {"succeeded": 6, "failed": 0, "average_time_per_batch": 1}
    spec = parse_spec(world.store.objects[KEYS.spec][0])
    assert (spec.sqs_url, spec.total_batch_count) == (f"https://sqs/{QUEUE}", 6)
    assert {"succeeded", "running", "enqueuing", "metrics.json", "end.json", "max_batch_count"} <= world.names()
    assert not {name for name in world.names() if name.startswith("owner/")}
    changed = [(event.state, event.error) for event in world.recorder.of(JobChanged)]
    assert changed == [("pending", ""), ("enqueuing", ""), ("running", ""), ("succeeded", "")]
    assert world.recorder.of(JobChanged)[-1].duration_s == pytest.approx(25, abs=15)
    assert world.recorder.of(JobPassFailed) == []


async def test_the_queue_has_the_name_the_attributes_and_the_tags_of_cortex(world: World) -> None:
    dead_letters = DeadLetterQueue(arn="arn:aws:sqs:us-west-2:1:dead.fifo", max_receive_count=3)
    world.submit(spec=make_spec(api_id="id-1", dead_letter_queue=dead_letters))
    async with running(world):
        await world.until(lambda: world.sqs.queues)
        queue = world.sqs.queues[QUEUE]
    assert queue.attributes == {
        "FifoQueue": "true",
        "VisibilityTimeout": "60",
        "MessageRetentionPeriod": "1209600",
        "RedrivePolicy": '{"deadLetterTargetArn":"arn:aws:sqs:us-west-2:1:dead.fifo","maxReceiveCount":"3"}',
    }
    expected = {"cortex.dev/cluster-name": "cortex", "apiName": "sum", "apiID": "id-1", "jobID": KEYS.job_id}
    assert queue.tags == expected


async def test_a_queue_of_that_name_with_other_attributes_is_taken(world: World) -> None:
    await world.sqs.create_queue(QueueName=QUEUE, Attributes={"FifoQueue": "true"}, tags={})
    world.submit()
    assert (await run_to_end(world)).state == "succeeded"


async def test_workers_start_with_the_first_batches(world: World) -> None:
    world.batches = 100
    world.submit()
    async with running(world):
        await world.until(lambda: "worker-1" in world.started)
        assert world.sent < 20
        assert state(world) == "running"


async def test_a_batch_that_failed_for_good_is_told_from_one_that_did_not(world: World) -> None:
    world.failing = 1
    world.submit()
    assert (await run_to_end(world)).state == "completed_with_failures"
    assert json.loads(world.store.objects[KEYS.metrics][0])["failed"] == 1


async def test_a_dead_worker_is_replaced(world: World) -> None:
    world.batches = 30
    world.submit()
    async with until_over(world):
        await world.until(lambda: world.done >= 3)
        world.launchers[0].end("worker-1", phase="killed")
        await world.until(lambda: world.started.count("worker-1") == 2)
    assert world.end().state == "succeeded"


async def test_a_killed_enqueuer_is_started_again(world: World) -> None:
    world.batches = 30
    world.submit()
    async with until_over(world):
        await world.until(lambda: world.sent >= 5)
        world.launchers[0].end(ENQUEUER, phase="killed")
    assert world.started.count(ENQUEUER) == 2
    assert world.end().state == "succeeded"


async def test_an_enqueuer_that_is_killed_before_the_completion_message_is_started_again(world: World) -> None:
    world.submit()
    async with until_over(world):
        await world.until(lambda: KEYS.max_batch_count in world.store.objects)
        assert KEYS.payload in world.store.objects
        world.launchers[0].end(ENQUEUER, phase="killed")
    assert world.started.count(ENQUEUER) == 2
    assert (world.end().state, world.completions) == ("succeeded", 1)


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


async def test_a_container_that_is_not_ready_yet_is_no_error(world: World) -> None:
    world.works = False
    world.submit()
    async with running(world):
        await asyncio.sleep(3600)
        assert state(world) == "running"


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


async def test_a_pause_stops_the_work_within_ten_seconds_and_a_resume_goes_on(world: World) -> None:
    world.batches = 40
    world.submit()
    async with until_over(world):
        await world.until(lambda: world.done >= 3)
        world.store.objects[KEYS.pause] = (b"", None)
        await asyncio.sleep(10)
        done = world.done
        await asyncio.sleep(1000)
        assert (world.done, world.is_over()) == (done, False)
        del world.store.objects[KEYS.pause]
    assert world.end().state == "succeeded"


async def test_a_queue_that_was_empty_before_all_batches_were_sent_is_not_empty_because_its_counts_lag(
    world: World,
) -> None:
    count, sent_at = world.sqs.get_queue_attributes, 0.0
    loop = asyncio.get_running_loop()

    async def lagging(**request: Any) -> dict[str, Any]:
        nonlocal sent_at
        counts = await count(**request)
        if world.sent and not sent_at:
            sent_at = loop.time()
        if loop.time() - sent_at < LAG_S:
            counts = {"Attributes": dict.fromkeys(counts["Attributes"], "0")}
        return counts

    world.batches, world.works = 1, False
    world.sqs.get_queue_attributes = lagging  # type: ignore[method-assign]
    world.store.objects[KEYS.pause] = (b"", None)
    world.submit()
    async with until_over(world):
        await asyncio.sleep(120)  # nothing was sent in all this time
        del world.store.objects[KEYS.pause]
        await asyncio.sleep(2 * LAG_S)
        world.works = True
    assert (world.done, world.completions) == (1, 1)
    assert world.end().state == "succeeded"


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


async def test_an_outage_of_the_store_delays_the_job(world: World) -> None:
    world.submit()
    async with until_over(world, within_s=3000):
        await world.until(lambda: world.done >= 1)
        world.store.fail(200)
    assert world.end().state == "succeeded"
    assert world.recorder.of(JobPassFailed)


async def test_progress_is_written_while_the_job_runs(world: World) -> None:
    world.batches = 60
    world.submit()
    async with running(world):
        await world.until(lambda: world.done >= 20)
        world.works = False
        await world.until(lambda: KEYS.max_batch_count in world.store.objects)
        await asyncio.sleep(10)
        written = json.loads(world.store.objects[KEYS.progress][0])
        observed = world.recorder.of(JobObserved)[-1]
        measured = world.recorder.of(JobMeasured)[-1]
    assert written["worker_counts"] == {"ready": 2}
    progress = written["progress"]
    assert (progress["items_total"], progress["batches_total"], progress["items_failed"]) == (600, 60, 0)
    assert progress["batches_done"] * 10 == progress["items_done"] > 0
    assert 0 < progress["rate"] < 10
    assert progress["eta_seconds"] > 0
    assert (measured.batches_total, measured.items_total, measured.items_failed) == (60, 600, 0)
    assert (measured.batches_done, measured.items_done) == (progress["batches_done"], progress["items_done"])
    assert (observed.state, observed.messages > 0) == ("running", True)


async def test_a_task_runs_once_and_has_no_queue(world: World) -> None:
    world.submit(TASK_KEYS, make_spec(TASK_KEYS, workers=1))
    async with running(world):
        await world.until(lambda: world.is_over(TASK_KEYS))
    assert world.end(TASK_KEYS).state == "succeeded"
    assert (world.started, world.sqs.created) == (["worker-0"], [])
    assert state(world, TASK_KEYS) == "succeeded"


async def test_a_task_that_fails_is_not_tried_again(world: World) -> None:
    world.starts["worker-0"] = [ProcessState(phase="failed", was_ready=True, detail="ended with exit status 3")]
    world.submit(TASK_KEYS, make_spec(TASK_KEYS, workers=1))
    async with running(world):
        await world.until(lambda: world.is_over(TASK_KEYS))
    end = world.end(TASK_KEYS)
    assert (end.state, world.started) == ("worker_error", ["worker-0"])


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


async def test_a_stop_is_a_stop_whatever_its_size(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MAX_OBJECT_BYTES", 2000)
    world.submit()
    world.store.objects[KEYS.stop] = (b"x" * 2001, None)
    assert (await run_to_end(world)).state == "stopped"
