"""The pods of `deploy/examples` and of the chart run, and work off their queues."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cloud import REGION, Bucket, Cloud, Queue
from tests.integration.kubernetes.chart import chart_gateway, chart_job, chart_scaled_job
from tests.integration.kubernetes.examples import (
    COMPLETION,
    JOB_ID,
    Records,
    async_example,
    example,
    job_example,
    node_of,
    prestop,
    settled,
)
from tests.integration.kubernetes.realtime import ask
from tests.integration.waiting import eventually
from tests.kubelet.manifest import Manifest
from tests.kubelet.status import SIGKILLED, Terminated


def test_an_async_api_works_off_its_queue(cloud: Cloud, bucket: Bucket, records: Records, tmp_path: Path) -> None:
    queue = cloud.queue(fifo=True)
    ids = [bucket.submit(queue) for _ in range(6)]
    manifest = async_example(queue, bucket)
    with node_of(tmp_path, records, cloud, work_s=0) as node:
        pods = [node.start(manifest.workload, manifest.config_maps) for _ in range(manifest.workload.pods)]
        eventually(lambda: {bucket.ended(one) for one in ids} == {"completed"}, "all requests to complete")
        for pod in pods:
            pod.wait_ready()
    assert records.runs() == dict.fromkeys(ids, 1)


def test_any_queue_works_off_its_queue(cloud: Cloud, queue: Queue, records: Records, tmp_path: Path) -> None:
    manifest = example("any-queue.yaml", DEQUEUER_QUEUE_URL=queue.url, AWS_REGION=REGION)
    event = json.dumps(
        {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "a"}}}]}
    )
    queue.send(event)
    with node_of(tmp_path, records, cloud, work_s=0) as node:
        pod = node.start(manifest.workload, manifest.config_maps)
        eventually(queue.is_empty, "the queue to be empty")
        pod.wait_ready()
    assert records.runs() == {f"/uploads {event}": 1}


async def test_a_realtime_api_serves_when_its_pod_is_ready(records: Records, tmp_path: Path) -> None:
    manifest = example("realtime-api.yaml")
    with node_of(tmp_path, records, None, work_s=0) as node:
        pod = node.start(manifest.workload, manifest.config_maps)
        pod.wait_ready()
        assert await ask(pod, 8888, "GET", "/any/path?x=1") == "/any/path?x=1"


async def test_the_chart_s_gateway_takes_requests_that_its_pods_work_off(
    cloud: Cloud, queue: Queue, bucket: Bucket, records: Records, tmp_path: Path
) -> None:
    manifest = chart_gateway(queue, bucket)
    with node_of(tmp_path, records, cloud, work_s=0) as node:
        gateway, _ = [
            node.start(manifest.workloads[name], manifest.config_maps) for name in ("demo-gateway", "api-api")
        ]
        await asyncio.to_thread(gateway.wait_ready)
        request_id = json.loads(await ask(gateway, 8080, "POST", "/api", b"payload"))["id"]
        answer = json.loads(await ask(gateway, 8080, "GET", f"/api/{request_id}?wait=60"))
        assert (answer["status"], answer["result"]) == ("completed", {"done": True})


@pytest.mark.parametrize("job", [job_example, chart_job])
def test_the_pods_of_a_batch_job_end_when_its_queue_is_used_up(
    job: Callable[[Queue, Bucket], Manifest], cloud: Cloud, bucket: Bucket, records: Records, tmp_path: Path
) -> None:
    queue = cloud.queue(fifo=True)
    batches = [json.dumps([number]) for number in range(9)]
    for batch in batches:
        queue.send(batch)
    queue.send_completion(JOB_ID)
    manifest = job(queue, bucket)
    with node_of(tmp_path, records, cloud, work_s=0.1) as node:
        pods = [node.start(manifest.workload, manifest.config_maps) for _ in range(manifest.workload.pods)]
        assert [pod.wait_ended() for pod in pods] == ["Succeeded"] * 3
        for pod in pods:
            assert pod.events[-3:] == [("dequeuer", "ended 0"), ("api", "SIGTERM"), ("api", "ended 0")]
    assert records.runs() == {f"/ {batch}": 1 for batch in batches} | {COMPLETION: 1}
    assert queue.is_empty()


def test_a_pod_of_a_scaled_job_works_on_one_message_and_ends(
    cloud: Cloud, bucket: Bucket, records: Records, tmp_path: Path
) -> None:
    queue = cloud.queue()
    ids = {bucket.submit(queue) for _ in range(2)}
    manifest = chart_scaled_job(queue, bucket)
    with node_of(tmp_path, records, cloud, work_s=0.1) as node:
        for done in (1, 2):
            pod = node.start(manifest.workload, manifest.config_maps)
            assert pod.wait_ended() == "Succeeded"
            assert bucket.completed() == done
            assert queue.count() == len(ids) - done
    assert records.runs() == dict.fromkeys(ids, 1)


def test_with_main_containers_alone_the_pod_of_a_job_does_not_end(
    cloud: Cloud, bucket: Bucket, records: Records, tmp_path: Path
) -> None:
    queue = cloud.queue(fifo=True)
    queue.send_completion(JOB_ID)
    manifest = job_example(queue, bucket).formed(prestop)
    with node_of(tmp_path, records, cloud, work_s=0) as node:
        pod = node.start(manifest.workload, manifest.config_maps)
        status = pod.container("dequeuer").status
        eventually(lambda: status.state == Terminated(exit_code=0, reason="Completed"), "the dequeuer to end")
        assert pod.phase == "Running"
        assert pod.container("api").status.running
        pod.delete()
        # The hook fails, because the dequeuer has ended: nothing waits for it.
        assert pod.wait_ended() == "Succeeded"
        assert ("api", "preStop failed") in pod.events


def test_a_container_without_memory_is_restarted_alone_and_its_message_is_tried_again(
    cloud: Cloud, queue: Queue, bucket: Bucket, records: Records, tmp_path: Path
) -> None:
    manifest = async_example(queue, bucket)
    with node_of(tmp_path, records, cloud, work_s=5) as node:  # it has to run when the kill comes
        pod = node.start(manifest.workload, manifest.config_maps)
        request_id = bucket.submit(queue)
        eventually(lambda: records.running(pod), "the container to have the request")
        pod.kill("api", is_oom=True)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        status = pod.container("api").status
        assert (status.restart_count, status.last_state) == (1, Terminated(exit_code=SIGKILLED, reason="OOMKilled"))
        assert pod.phase == "Running"
        assert pod.container("dequeuer").status.restart_count == 0
        eventually(lambda: len(settled(pod)) == 2, "both attempts to be settled")
        assert [(line["settlement"], line["receive_count"]) for line in settled(pod)] == [
            ("retried", 1),
            ("completed", 2),
        ]
    assert records.runs() == {request_id: 2}
