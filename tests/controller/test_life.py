"""The life of a job from its submission to the end of its work, with one controller."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from dequeuer.controller.launchers.base import ENQUEUER, ProcessState
from dequeuer.core.events import JobChanged, JobMeasured, JobObserved, JobPassFailed
from dequeuer.jobs.spec import DeadLetterQueue, parse_spec
from tests.controller.lives import run_to_end, running, state, until_over
from tests.controller.stage import KEYS, QUEUE, TASK_KEYS, World, make_spec

pytestmark = pytest.mark.looptime

LAG_S = 8.0
"""How far the counts of the queue lag behind: less than the `queue_delay_s` of the world."""


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


async def test_a_container_that_is_not_ready_yet_is_no_error(world: World) -> None:
    world.works = False
    world.submit()
    async with running(world):
        await asyncio.sleep(3600)
        assert state(world) == "running"


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
