"""A pod is deleted in the middle of its work: nothing is lost in the right orders, and the wrong ones are seen to lose."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from dequeuer.process.early_signals import STOPPED_STATUS
from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.kubernetes.chart import chart_async, chart_job
from tests.integration.kubernetes.examples import (
    COMPLETION,
    JOB_ID,
    Records,
    async_example,
    inverted,
    job_example,
    node_of,
    prestop,
    settled,
    without_hook,
)
from tests.integration.waiting import eventually
from tests.kubelet.manifest import Manifest
from tests.kubelet.pod import Pod

WORKERS = 4
"""Of the example."""
REQUESTS = 14
WORK_S = 1.5

Pods = Callable[[Queue, Bucket], Manifest]
NATIVE: Final[dict[str, Pods]] = {"example": async_example, "chart": partial(chart_async, "native")}
PRESTOP: Final[dict[str, Pods]] = {
    "example-prestop": lambda queue, bucket: async_example(queue, bucket).formed(prestop),
    "chart-prestop": partial(chart_async, "prestop"),
}
JOBS: Final[dict[str, Pods]] = {"example": job_example, "chart": chart_job}
WRONG: Final[dict[str, Pods]] = {
    "inverted": lambda queue, bucket: async_example(queue, bucket).formed(inverted),
    "without-hook": lambda queue, bucket: async_example(queue, bucket).formed(without_hook),
}


def roll(
    pods: Pods, cloud: Cloud, queue: Queue, bucket: Bucket, records: Records, folder: Path
) -> tuple[list[str], list[str], Pod, Pod]:
    """Delete a pod while it works on as many requests as it can, and let another one finish.

    Returns:
        All requests; those that ran in the first pod when it was deleted; both pods.
    """
    manifest = pods(queue, bucket)
    workload = manifest.workload
    ids = [bucket.submit(queue) for _ in range(REQUESTS)]
    with node_of(folder, records, cloud, work_s=WORK_S) as node:
        first = node.start(workload, manifest.config_maps)

        def all_busy() -> list[str]:
            running = records.running(first)
            return running if len(running) == WORKERS else []

        running = eventually(all_busy, "all workers to be busy")
        first.delete()
        second = node.start(workload, manifest.config_maps)
        first.wait_ended()
        eventually(lambda: {bucket.ended(one) for one in ids} == {"completed"}, "all requests to complete")
        eventually(queue.is_empty, "the queue to be empty")
    return ids, running, first, second


@pytest.mark.parametrize("pods", [*NATIVE, *PRESTOP])
def test_a_deleted_pod_finishes_what_runs_and_another_one_does_the_rest(
    pods: str, cloud: Cloud, queue: Queue, bucket: Bucket, records: Records, tmp_path: Path
) -> None:
    ids, running, first, second = roll((NATIVE | PRESTOP)[pods], cloud, queue, bucket, records, tmp_path)
    assert len(running) == WORKERS
    assert records.runs() == dict.fromkeys(ids, 1)
    # Nothing that was begun has cost an attempt, and both did a part of the work.
    done = {
        line["request_id"]: line
        for pod in (first, second)
        for line in settled(pod)
        if line["settlement"] == "completed"
    }
    assert {done[one]["receive_count"] for one in running} == {1}
    assert {line["settlement"] for line in settled(first) + settled(second)} <= {"completed", "released"}
    assert {pod for pod, _ in records.of("end")} == {first.name, second.name}
    # What `api` waits for before its SIGTERM: the end of the dequeuer, or of its drain.
    awaited = ("dequeuer", "ended 0") if pods in NATIVE else ("api", "preStop ended")
    assert first.events.index(awaited) < first.events.index(("api", "SIGTERM"))
    assert first.happened("SIGKILL") == []


def test_a_deleted_pod_of_a_job_finishes_its_batches_and_the_others_do_the_rest(
    cloud: Cloud, bucket: Bucket, records: Records, tmp_path: Path
) -> None:
    queue = cloud.queue(fifo=True)
    batches = [json.dumps([number]) for number in range(8)]
    for batch in batches:
        queue.send(batch)
    queue.send_completion(JOB_ID)
    manifest = chart_job(queue, bucket)
    with node_of(tmp_path, records, cloud, work_s=WORK_S) as node:
        pods = [node.start(manifest.workload, manifest.config_maps) for _ in range(2)]
        eventually(lambda: records.running(pods[0]) and records.running(pods[1]), "both pods to work")
        pods[0].delete()
        assert [pod.wait_ended() for pod in pods] == ["Failed", "Succeeded"]
    assert records.runs() == {f"/ {batch}": 1 for batch in batches} | {COMPLETION: 1}
    assert {pod for pod, _ in records.of("end")} == {pod.name for pod in pods}
    assert queue.is_empty()


@pytest.mark.parametrize("job", JOBS)
def test_the_only_pod_of_a_job_that_is_deleted_has_failed_and_the_next_one_does_the_rest(
    job: str, cloud: Cloud, bucket: Bucket, records: Records, tmp_path: Path
) -> None:
    # A Job without `completions` is complete when a pod has succeeded and none is left.
    queue = cloud.queue(fifo=True)
    for number in range(3):
        queue.send(f"[{number}]")
    queue.send_completion(JOB_ID)
    manifest = JOBS[job](queue, bucket)
    with node_of(tmp_path, records, cloud, work_s=WORK_S) as node:
        first = node.start(manifest.workload, manifest.config_maps)
        eventually(lambda: records.running(first), "the pod to work")
        first.delete()
        assert first.wait_ended() == "Failed"
        assert first.happened("SIGKILL") == []
        state = first.container("dequeuer").status.state
        assert state is not None
        assert state.exit_code == STOPPED_STATUS
        assert not queue.is_empty()
        assert node.start(manifest.workload, manifest.config_maps).wait_ended() == "Succeeded"
    assert records.runs() == {f"/ [{number}]": 1 for number in range(3)} | {COMPLETION: 1}
    assert queue.is_empty()


@pytest.mark.parametrize("pods", WRONG)
def test_in_other_orders_what_runs_breaks_and_costs_an_attempt(
    pods: str, cloud: Cloud, queue: Queue, bucket: Bucket, records: Records, tmp_path: Path
) -> None:
    ids, _, first, second = roll(WRONG[pods], cloud, queue, bucket, records, tmp_path)
    again = {one for one in ids if records.runs()[one] > 1}
    assert again
    done = {line["request_id"]: line for line in settled(second) if line["settlement"] == "completed"}
    assert {done[one]["receive_count"] for one in again} >= {2}
    assert first.events.index(("api", "SIGTERM")) < first.events.index(("dequeuer", "ended 0"))
