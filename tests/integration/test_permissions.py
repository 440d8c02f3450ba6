"""The policies of docs/permissions.md suffice, and without each line the stated effect occurs."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.cloud import CLUSTER, Bucket, Cloud, Queue
from tests.integration.container import Container, Held, Reply
from tests.integration.gateway_process import Gateway
from tests.integration.refusing import KEY_ARN, Policy, RefusingCloud
from tests.integration.sidecar import Sidecar, async_settings, batch_settings, queue_settings
from tests.integration.waiting import eventually

LARGE_BYTES = 6 << 20
"""Written in parts."""
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "permissions.md").read_text(encoding="utf-8")


def policy(name: str, queue: Queue, bucket: str = "", **more: str) -> Policy:
    """Return a policy of the page."""
    [document] = re.findall(rf"```json {name}\n(.*?)```", PAGE, re.DOTALL)
    names = {
        "bucket": bucket,
        "cluster-uid": CLUSTER,
        "api": "api",
        "queue": queue.url.rpartition("/")[2],
        "key": KEY_ARN,
        **more,
    }
    return Policy.of_document(json.loads(document), **names)


@contextmanager
def running(
    cloud: Cloud,
    queue: Queue,
    bucket: Bucket,
    container: Container,
    *without: str,
    keyed: Collection[str] = ("s3", "sqs"),
) -> Iterator[tuple[Sidecar, RefusingCloud]]:
    granted = policy("async", queue, bucket.name)
    assert set(without) <= set(granted.actions)
    with RefusingCloud(cloud, granted.without(*without), keyed=keyed) as refusing:
        settings = async_settings(cloud, queue, bucket, container.port) | refusing.settings(queue)
        with Sidecar(settings) as sidecar:
            yield sidecar, refusing


@pytest.mark.parametrize("size", [2, LARGE_BYTES], ids=["small", "multipart"])
def test_the_policy_of_an_async_api_is_enough(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, size: int
) -> None:
    container.reply = lambda _request: Reply(body=b'"' + b"x" * (size - 2) + b'"')
    with running(cloud, queue, bucket, container) as (sidecar, refusing):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        eventually(lambda: sidecar.events("expiry_rule"), "the lifecycle rule")
        assert not refusing.refused
    assert queue.is_empty()


@pytest.mark.parametrize("action", ["sqs:GetQueueAttributes", "s3:ListBucket", "s3:PutObject", "kms:GenerateDataKey"])
def test_what_ends_the_start(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, action: str) -> None:
    assert f"| `{action}` | exit 1 at start-up |" in PAGE
    with running(cloud, queue, bucket, container, action) as (sidecar, _):
        assert sidecar.wait() == 1
        assert len(sidecar.events("cannot_go_on")) == 1


@pytest.mark.parametrize(
    "action",
    [
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:GetLifecycleConfiguration",
        "s3:PutLifecycleConfiguration",
        "sqs:ChangeMessageVisibility",
    ],
)
def test_permissions_without_which_work_continues(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, action: str
) -> None:
    with running(cloud, queue, bucket, container, action) as (sidecar, _):
        request_id = bucket.submit(queue)
        eventually(lambda: "status/completed" in bucket.names(request_id), "the request to be completed")
        eventually(queue.is_empty, "its message to be deleted")
        assert sidecar.get("/healthz") == (200, "healthy")


@pytest.mark.parametrize(
    ("action", "keyed", "calls"),
    [
        ("sqs:ReceiveMessage", (), 0),
        ("kms:Decrypt", ("sqs",), 0),
        ("kms:Decrypt", ("s3",), 0),
        ("s3:GetObject", (), 0),
        ("sqs:DeleteMessage", (), 1),
    ],
)
def test_permissions_without_which_nothing_is_received(
    cloud: Cloud,
    queue: Queue,
    bucket: Bucket,
    container: Container,
    action: str,
    keyed: tuple[str, ...],
    calls: int,
) -> None:
    with running(cloud, queue, bucket, container, action, keyed=keyed) as (sidecar, refusing):
        bucket.submit(queue)
        eventually(lambda: refusing.refused[action], "the refusal")
        eventually(lambda: sidecar.get("/healthz") == (500, "unhealthy"), "the sidecar to say so")
        bucket.submit(queue)
        assert queue.count() == 2
        assert len(container.requests) == calls


def test_the_policy_of_a_batch_job_is_enough(cloud: Cloud, queue: Queue, container: Container) -> None:
    queue.send("[1]")
    queue.send_completion("job-1")
    with RefusingCloud(cloud, policy("batch", queue), keyed=("s3", "sqs")) as refusing:
        with Sidecar(batch_settings(cloud, queue, container.port) | refusing.settings(queue)) as sidecar:
            assert sidecar.wait() == 0
        assert not refusing.refused
    assert container.paths("/on-job-complete") == 1


def test_without_sending_a_completion_that_came_too_early_is_released(
    cloud: Cloud, queue: Queue, container: Container
) -> None:
    container.reply = held = Held()
    queue.send("[1]")
    with RefusingCloud(cloud, policy("batch", queue).without("sqs:SendMessage")) as refusing:
        settings = batch_settings(cloud, queue, container.port, DEQUEUER_WORKERS="2")
        with Sidecar(settings | refusing.settings(queue)) as sidecar:
            eventually(lambda: container.requests, "the container to have the batch")
            queue.send_completion("job-1")
            [line] = sidecar.settled(1)
            assert (line["settlement"], refusing.refused["sqs:SendMessage"]) == ("retried", 1)
            [denied] = sidecar.events("queue_denied")
            assert (denied["op"], denied["permission"]) == ("send", "sqs:SendMessage")
            assert sidecar.get("/healthz") == (200, "healthy"), "work goes on without it"
            held.release.set()
            assert sidecar.wait() == 0
    assert container.paths("/on-job-complete") == 1


@contextmanager
def serving(cloud: Cloud, queue: Queue, bucket: Bucket, *without: str) -> Iterator[tuple[Gateway, RefusingCloud]]:
    granted = policy("gateway", queue, bucket.name)
    assert set(without) <= set(granted.actions)
    with (
        RefusingCloud(cloud, granted.without(*without), keyed=("s3", "sqs")) as refusing,
        Gateway(refusing.url, bucket, refusing.queue_url(queue)) as gateway,
    ):
        gateway.wait_started()
        yield gateway, refusing


def complete(bucket: Bucket, request_id: str) -> None:
    """Make the calls of a sidecar at the end of a request."""
    bucket.put(request_id, "result.json", b"[1]", "application/json")
    bucket.put(request_id, "status/completed", b"")


def uploads(bucket: Bucket) -> int:
    """Count the uploads that were neither completed nor aborted."""
    return len(bucket.s3.list_multipart_uploads(Bucket=bucket.name).get("Uploads", ()))


@pytest.mark.parametrize("size", [7, LARGE_BYTES], ids=["small", "multipart"])
def test_the_policy_of_the_gateway_is_enough(cloud: Cloud, queue: Queue, bucket: Bucket, size: int) -> None:
    with serving(cloud, queue, bucket) as (gateway, refusing):
        request_id = gateway.submit(b"x" * size)
        assert queue.take() == (request_id, 1)
        stored = bucket.get(request_id, "payload")
        assert stored is not None
        assert len(stored[0]) == size
        assert '"in_queue"' in gateway.call(f"/api/{request_id}")[1]
        complete(bucket, request_id)
        assert '"result":[1]' in gateway.call(f"/api/{request_id}")[1]
        assert not refusing.refused


@pytest.mark.parametrize("action", ["s3:PutObject", "sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"])
def test_what_the_gateway_cannot_submit_without(cloud: Cloud, queue: Queue, bucket: Bucket, action: str) -> None:
    with serving(cloud, queue, bucket, action) as (gateway, refusing):
        status, text = gateway.call("/api", b"payload")
        assert (status, "refuses the gateway" in text) == (503, True)
        [line] = eventually(lambda: gateway.events("request_refused"), "the refusal to be logged")
        assert (line["level"], line["status"]) == ("error", 503)
        assert line["cause"]
        assert refusing.refused[action]
        assert "Contents" not in bucket.s3.list_objects_v2(Bucket=bucket.name), "what was written is deleted"
    assert queue.is_empty()


@pytest.mark.parametrize("action", ["s3:ListBucket", "s3:GetObject", "kms:Decrypt"])
def test_what_the_gateway_cannot_look_up_without(cloud: Cloud, queue: Queue, bucket: Bucket, action: str) -> None:
    request_id = bucket.submit(queue)
    with serving(cloud, queue, bucket, action) as (gateway, refusing):
        needed_always = action == "s3:ListBucket"
        assert gateway.call(f"/api/{request_id}")[0] == (503 if needed_always else 200)
        complete(bucket, request_id)
        assert gateway.call(f"/api/{request_id}")[0] == 503
        assert refusing.refused[action]


@pytest.mark.parametrize("kept", [False, True])
def test_what_a_submission_that_failed_leaves(cloud: Cloud, queue: Queue, bucket: Bucket, *, kept: bool) -> None:
    without = ("kms:Decrypt", "s3:DeleteObject", "s3:AbortMultipartUpload") if kept else ("kms:Decrypt",)
    with serving(cloud, queue, bucket, *without) as (gateway, _):
        # Refused when the message is sent, and when the first part is sent.
        assert gateway.call("/api", b"payload")[0] == 503
        assert gateway.call("/api", b"x" * LARGE_BYTES)[0] == 503
        eventually(lambda: uploads(bucket) == kept, "the upload to be aborted, where that is allowed")
        assert ("Contents" in bucket.s3.list_objects_v2(Bucket=bucket.name)) is kept


@contextmanager
def running_queue(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, *without: str, is_keyed: bool = True
) -> Iterator[tuple[Sidecar, RefusingCloud, Bucket]]:
    """Run the sidecar of any queue, with results in `bucket` and payloads in another one, which is returned."""
    payloads = cloud.bucket()
    objects = policy("queue-objects", queue, bucket.name, payloads=payloads.name, prefix="results")
    assert set(without) <= set(objects.actions)
    granted = Policy(policy("queue", queue).grants + objects.without(*without).grants)
    with RefusingCloud(cloud, granted, keyed=("s3", "sqs") if is_keyed else ()) as refusing:
        settings = queue_settings(
            cloud,
            queue,
            container.port,
            DEQUEUER_QUEUE_RESULTS=f"s3://{bucket.name}/results/",
            DEQUEUER_QUEUE_PAYLOAD_BUCKETS=payloads.name,
            DEQUEUER_QUEUE_DELETE_PAYLOADS="true",
            DEQUEUER_MAX_ATTEMPTS="1",
        )
        with Sidecar(settings | refusing.settings(queue)) as sidecar:
            yield sidecar, refusing, payloads


def send_pointer(queue: Queue, payloads: Bucket) -> None:
    payloads.s3.put_object(Bucket=payloads.name, Key="large", Body=b"payload")
    pointed = {"s3BucketName": payloads.name, "s3Key": "large"}
    pointer = json.dumps(["software.amazon.payloadoffloading.PayloadS3Pointer", pointed])
    queue.send(pointer, ExtendedPayloadSize="7")


def objects_of(bucket: Bucket) -> int:
    return len(bucket.s3.list_objects_v2(Bucket=bucket.name).get("Contents", ()))


@pytest.mark.parametrize("size", [2, LARGE_BYTES], ids=["small", "multipart"])
def test_the_policies_of_any_queue_are_enough(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, size: int
) -> None:
    container.reply = lambda _request: Reply(body=b"x" * size)
    with running_queue(cloud, queue, bucket, container) as (sidecar, refusing, payloads):
        send_pointer(queue, payloads)
        assert [line["settlement"] for line in sidecar.settled(1)] == ["completed"]
        eventually(lambda: not objects_of(payloads), "the payload to be deleted")
        assert not refusing.refused
    assert objects_of(bucket) == 1


@pytest.mark.parametrize("action", ["s3:ListBucket", "s3:PutObject"])
def test_what_ends_the_start_of_any_queue(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, action: str
) -> None:
    with running_queue(cloud, queue, bucket, container, action) as (sidecar, _, _):
        assert sidecar.wait() == 1
        [line] = sidecar.events("cannot_go_on")
    assert "DEQUEUER_QUEUE_RESULTS" in line["error"]


def test_a_payload_that_may_not_be_deleted_stays(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with running_queue(cloud, queue, bucket, container, "s3:DeleteObject") as (sidecar, refusing, payloads):
        send_pointer(queue, payloads)
        assert [line["settlement"] for line in sidecar.settled(1)] == ["completed"]
        eventually(lambda: refusing.refused["s3:DeleteObject"], "a refused deletion")
        queue.send("another")
        assert [line["settlement"] for line in sidecar.settled(2)] == ["completed"] * 2
    assert objects_of(payloads) == 1


def test_a_payload_that_may_not_be_read_stops_the_other_messages_for_seconds_only(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with running_queue(cloud, queue, bucket, container, "s3:GetObject", is_keyed=False) as (sidecar, _, payloads):
        send_pointer(queue, payloads)
        assert [line["settlement"] for line in sidecar.settled(1)] == ["rejected"]
        queue.send("another")
        assert [line["settlement"] for line in sidecar.settled(2)] == ["rejected", "completed"]
