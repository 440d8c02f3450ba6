"""A pod is deleted in the middle of its work: nothing is lost in the right orders, and the wrong ones are seen to lose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.kubernetes.examples import (
    Records,
    Spec,
    async_example,
    inverted,
    native,
    node_of,
    prestop,
    settled,
    without_hook,
)
from tests.integration.waiting import eventually
from tests.kubelet.pod import Pod

WORKERS = 4
"""Of the example."""
REQUESTS = 14
WORK_S = 1.5

Form = Callable[[Spec], Spec]


def roll(
    form: Form, cloud: Cloud, queue: Queue, bucket: Bucket, records: Records, folder: Path
) -> tuple[list[str], list[str], Pod, Pod]:
    """Delete a pod while it works on as many requests as it can, and let another one finish.

    Returns:
        All requests; those that ran in the first pod when it was deleted; both pods.
    """
    manifest = async_example(queue, bucket)
    workload = manifest.workload.of(form(manifest.workload.spec))
    ids = [bucket.submit(queue) for _ in range(REQUESTS)]
    with node_of(folder, records, cloud, work_s=WORK_S) as node:
        first = node.start(workload, manifest.config_maps)
        eventually(lambda: records.running(first) == WORKERS, "all workers to be busy")
        begun, ended = records.of("begin"), records.of("end")
        first.delete()
        second = node.start(workload, manifest.config_maps)
        first.wait_ended()
        eventually(lambda: {bucket.ended(one) for one in ids} == {"completed"}, "all requests to complete")
        eventually(queue.is_empty, "the queue to be empty")
    return ids, [what for pod, what in begun if (pod, what) not in ended], first, second


@pytest.mark.parametrize("form", [native, prestop])
def test_a_deleted_pod_finishes_what_runs_and_another_one_does_the_rest(
    form: Form, cloud: Cloud, queue: Queue, bucket: Bucket, records: Records, tmp_path: Path
) -> None:
    ids, running, first, second = roll(form, cloud, queue, bucket, records, tmp_path)
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
    awaited = ("dequeuer", "ended 0") if form is native else ("api", "preStop ended")
    assert first.events.index(awaited) < first.events.index(("api", "SIGTERM"))
    assert first.happened("SIGKILL") == []


@pytest.mark.parametrize("form", [inverted, without_hook])
def test_in_other_orders_what_runs_breaks_and_costs_an_attempt(
    form: Form, cloud: Cloud, queue: Queue, bucket: Bucket, records: Records, tmp_path: Path
) -> None:
    ids, _, first, second = roll(form, cloud, queue, bucket, records, tmp_path)
    again = {one for one in ids if records.runs()[one] > 1}
    assert again
    done = {line["request_id"]: line for line in settled(second) if line["settlement"] == "completed"}
    assert {done[one]["receive_count"] for one in again} >= {2}
    assert first.events.index(("api", "SIGTERM")) < first.events.index(("dequeuer", "ended 0"))
