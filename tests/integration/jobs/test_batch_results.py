"""Results by item, with real processes: lines in S3 before the acknowledgement, none lost and none twice."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tests.integration.cloud import CLUSTER, Bucket, Cloud, Queue
from tests.integration.container import Container, Reply, Request
from tests.integration.sidecar import Sidecar, batch_settings
from tests.integration.test_batch import COMPLETE
from tests.integration.waiting import eventually

PREFIX = f"{CLUSTER}/jobs/BatchAPI/0.42.1/api/job-1/"


def settings(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, **more: str) -> dict[str, str]:
    return batch_settings(
        cloud,
        queue,
        container.port,
        DEQUEUER_BUCKET=bucket.name,
        DEQUEUER_CLUSTER_UID=CLUSTER,
        DEQUEUER_OUTPUT=f"s3://{bucket.name}/out",
        DEQUEUER_WORKER_ID="worker-0",
        **more,
    )


def lines(bucket: Bucket, folder: str) -> list[Any]:
    """Return all lines in a folder of the output."""
    prefix = f"out/job-1/{folder}/"
    listed = bucket.s3.list_objects_v2(Bucket=bucket.name, Prefix=prefix).get("Contents", [])
    texts = [bucket.s3.get_object(Bucket=bucket.name, Key=one["Key"])["Body"].read() for one in listed]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def answer(request: Request) -> Reply:
    """Double numbers; those that end in 3 fail, those that end in 7 fail unless they are alone."""
    if request.path == COMPLETE:
        return Reply()
    items = json.loads(request.body)
    failing = {at for at, item in enumerate(items) if item % 10 == 3 or (item % 10 == 7 and len(items) > 1)}
    results = [None if at in failing else 2 * item for at, item in enumerate(items)]
    failures = [{"index": at, "error": "bad", "retry": items[at] % 10 == 7} for at in sorted(failing)]
    body = json.dumps({"results": results, "failures": failures} if failing else results)
    return Reply(headers={"Content-Type": "application/json"}, body=body.encode())


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_each_item_has_one_line_and_failed_ones_are_tried_again(
    cloud: Cloud, bucket: Bucket, container: Container, fifo: bool
) -> None:
    queue = cloud.queue(fifo=fifo)
    container.reply = answer
    for index in range(10):
        items = list(range(10 * index, 10 * index + 10))
        queue.send(json.dumps(items), batch_index=str(index), item_index=str(10 * index))
    queue.send_completion("job-1")
    with Sidecar(settings(cloud, queue, bucket, container, DEQUEUER_WORKERS="3")) as sidecar:
        assert sidecar.wait(120) == 0
    results, errors = lines(bucket, "results"), lines(bucket, "errors")
    assert sorted(line["index"] for line in results + errors) == list(range(100))
    assert all(line["result"] == 2 * line["index"] for line in results)
    assert {line["index"] for line in errors} == {item for item in range(100) if item % 10 == 3}
    found = bucket.s3.list_objects_v2(Bucket=bucket.name, Prefix=PREFIX)["Contents"]
    names = {one["Key"].removeprefix(PREFIX) for one in found}
    assert names == {"workers/worker-0.json", *(f"failures/{index:08}.json" for index in range(10))}
    counts = json.loads(bucket.s3.get_object(Bucket=bucket.name, Key=f"{PREFIX}workers/worker-0.json")["Body"].read())
    assert (counts["succeeded"], counts["failed_items"], counts["failed_batches"]) == (10, 10, 0)
    assert queue.is_empty()


def test_a_batch_in_the_dead_letter_queue_has_its_errors(cloud: Cloud, bucket: Bucket, container: Container) -> None:
    queue = cloud.queue(max_receives=2)
    container.reply = lambda request: Reply(status=500 if request.body == b"[1, 2]" else 200, body=b"[5]")
    queue.send("[1, 2]", batch_index="0", item_index="0")
    queue.send("[3]", batch_index="1", item_index="2")
    queue.send_completion("job-1")
    with Sidecar(settings(cloud, queue, bucket, container)) as sidecar:
        assert sidecar.wait(120) == 0
    assert lines(bucket, "results") == [{"index": 2, "result": 5}]
    error = {"code": "container_status", "message": "the container answered 500, not 200", "attempts": 2}
    assert lines(bucket, "errors") == [{"index": 0, "error": error}, {"index": 1, "error": error}]


def test_a_worker_that_is_killed_doubles_no_line(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    held = threading.Event()

    def reply(request: Request) -> Reply:
        if request.path != COMPLETE and request.body == b"[9]":
            held.wait(30)
        return Reply(body=request.body)

    container.reply = reply
    for index in range(10):
        queue.send(json.dumps([index]), batch_index=str(index), item_index=str(index))
    queue.send_completion("job-1")
    own = settings(cloud, queue, bucket, container, DEQUEUER_VISIBILITY_TIMEOUT="5")
    with Sidecar(own) as first:
        eventually(lambda: len(lines(bucket, "results")) >= 5, "results")
        first.kill()
    held.set()
    with Sidecar(own) as second:
        assert second.wait(120) == 0
    assert sorted(line["index"] for line in lines(bucket, "results")) == list(range(10))
