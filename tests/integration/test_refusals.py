"""Permissions that are missing for some seconds: the container is called once a request, and work resumes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Held, Reply
from tests.integration.refusing import EVERYTHING, Policy, RefusingCloud
from tests.integration.sidecar import Sidecar, async_settings, batch_settings
from tests.integration.waiting import eventually


@pytest.fixture
def refusing(cloud: Cloud) -> Iterator[RefusingCloud]:
    with RefusingCloud(cloud) as running:
        yield running


def starting(
    refusing: RefusingCloud, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, **more: str
) -> Sidecar:
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_WORKERS="4", **more)
    return Sidecar(settings | refusing.settings(queue))


def at_work(sidecar: Sidecar) -> None:
    eventually(lambda: sidecar.events("started"), "the sidecar to be at work")
    sidecar.wait_ready()


def wait_refused(sidecar: Sidecar, service: str, op: str) -> None:
    sample = f'dequeuer_refused{{op="{op}",service="{service}"}}'
    eventually(lambda: sidecar.metric(sample), f"{service} {op} to be refused")


def one_line_each(sidecar: Sidecar, group: str, op: str, permission: str) -> None:
    [denied] = sidecar.events(f"{group}_denied")
    assert (denied["op"], denied["code"], denied["permission"]) == (op, "AccessDenied", permission)
    assert denied["hint"]
    [allowed] = eventually(lambda: sidecar.events(f"{group}_allowed"), "the end of the refusal to be logged")
    assert allowed["op"] == op


def stay(seconds: float) -> None:
    """Wait while the refusal lasts: the test is that nothing happens meanwhile."""
    threading.Event().wait(seconds)


def ended(bucket: Bucket, requests: list[str]) -> None:
    for request_id in requests:
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"  # noqa: B023 - at once


def test_answers_are_kept_while_they_may_not_be_written(
    refusing: RefusingCloud, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with starting(refusing, cloud, queue, bucket, container) as sidecar:
        at_work(sidecar)
        container.reply = held = Held()
        first = [bucket.submit(queue) for _ in range(3)]
        eventually(lambda: len(container.requests) == 3, "the container to have them")
        refusing.denied = {"s3:PutObject"}
        held.release.set()
        wait_refused(sidecar, "s3", "put")
        assert sidecar.get("/healthz") == (500, "unhealthy")
        later = [bucket.submit(queue) for _ in range(3)]
        stay(4)
        assert len(container.requests) == 3, "nothing new is received"
        refusing.denied = set()
        ended(bucket, first + later)
        assert len(container.requests) == 6
        sidecar.wait_ready()
        one_line_each(sidecar, "store", "put", "s3:PutObject")
    assert queue.is_empty()


def test_statuses_that_may_be_written_do_not_end_the_refusal_of_results(
    refusing: RefusingCloud, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with starting(refusing, cloud, queue, bucket, container, DEQUEUER_IN_PROGRESS_AFTER="2") as sidecar:
        at_work(sidecar)
        container.reply = held = Held()
        first = bucket.submit(queue)
        eventually(lambda: len(container.requests) == 1, "the container to have it")
        refusing.policy = Policy(
            (("sqs:*", "*"), ("s3:Get*", "*"), ("s3:List*", "*"), ("s3:PutObject", "*/status/*"), ("s3:Delete*", "*"))
        )
        held.release.set()
        wait_refused(sidecar, "s3", "put")
        eventually(lambda: "status/in_progress" in bucket.names(first), "the marker to be written meanwhile")
        later = bucket.submit(queue)
        stay(2)
        assert sidecar.get("/healthz") == (500, "unhealthy")
        assert len(container.requests) == 1, "nothing new is received"
        refusing.policy = EVERYTHING
        ended(bucket, [first, later])
        assert len(container.requests) == 2
        one_line_each(sidecar, "store", "put", "s3:PutObject")


def test_messages_whose_payload_may_not_be_read_are_released_and_nothing_is_received(
    refusing: RefusingCloud, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with starting(refusing, cloud, queue, bucket, container) as sidecar:
        at_work(sidecar)
        refusing.denied = {"s3:GetObject"}
        requests = [bucket.submit(queue) for _ in range(2)]
        wait_refused(sidecar, "s3", "get")
        assert sidecar.get("/healthz") == (500, "unhealthy")
        stay(4)
        assert len(sidecar.events("message_settled")) <= 4, "a message or two was received, not all the time"
        assert not container.requests
        refusing.denied = set()
        ended(bucket, requests)
        assert len(container.requests) == 2
        one_line_each(sidecar, "store", "get", "s3:GetObject")


def test_objects_whose_deletion_is_refused_are_deleted_later(
    refusing: RefusingCloud, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with starting(refusing, cloud, queue, bucket, container) as sidecar:
        at_work(sidecar)
        refusing.denied = {"s3:DeleteObject"}
        request_id = bucket.submit(queue)
        wait_refused(sidecar, "s3", "delete")
        assert sidecar.get("/healthz") == (200, "healthy"), "work goes on without it"
        refusing.denied = set()
        ended(bucket, [request_id])
        one_line_each(sidecar, "store", "delete", "s3:DeleteObject")


def test_a_refused_deletion_of_the_message_is_repeated_while_the_lease_lasts(
    refusing: RefusingCloud, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with starting(refusing, cloud, queue, bucket, container, DEQUEUER_VISIBILITY_TIMEOUT="4") as sidecar:
        at_work(sidecar)
        refusing.denied = {"sqs:DeleteMessage"}
        first = bucket.submit(queue)
        wait_refused(sidecar, "sqs", "ack")
        assert sidecar.get("/healthz") == (500, "unhealthy")
        later = bucket.submit(queue)
        stay(6)
        assert len(container.requests) == 1
        refusing.denied = set()
        ended(bucket, [first, later])
        eventually(queue.is_empty, "both to be deleted")
        assert len(container.requests) == 2
        one_line_each(sidecar, "queue", "ack", "sqs:DeleteMessage")


def test_a_refused_renewal_is_sent_again_before_the_lease_is_over(
    refusing: RefusingCloud, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with starting(refusing, cloud, queue, bucket, container, DEQUEUER_VISIBILITY_TIMEOUT="16") as sidecar:
        at_work(sidecar)
        container.reply = held = Held()
        request_id = bucket.submit(queue)
        eventually(lambda: container.requests, "the container to have it")
        refusing.denied = {"sqs:ChangeMessageVisibility"}
        wait_refused(sidecar, "sqs", "renew")
        assert sidecar.get("/healthz") == (500, "unhealthy")
        refusing.denied = set()
        sidecar.wait_ready()
        held.release.set()
        ended(bucket, [request_id])
        assert len(container.requests) == 1
        one_line_each(sidecar, "queue", "renew", "sqs:ChangeMessageVisibility")


def test_a_refused_receive_is_tried_again(
    refusing: RefusingCloud, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with starting(refusing, cloud, queue, bucket, container) as sidecar:
        at_work(sidecar)
        refusing.denied = {"sqs:ReceiveMessage"}
        wait_refused(sidecar, "sqs", "receive")
        assert sidecar.get("/healthz") == (500, "unhealthy")
        request_id = bucket.submit(queue)
        refusing.denied = set()
        ended(bucket, [request_id])
        sidecar.wait_ready()
        one_line_each(sidecar, "queue", "receive", "sqs:ReceiveMessage")


def test_a_large_answer_does_not_run_again_and_again(
    refusing: RefusingCloud, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = lambda _request: Reply(body=b'"' + b"x" * (3 << 20) + b'"')
    with starting(refusing, cloud, queue, bucket, container, DEQUEUER_VISIBILITY_TIMEOUT="4") as sidecar:
        at_work(sidecar)
        refusing.denied = {"s3:PutObject"}
        bucket.submit(queue)
        wait_refused(sidecar, "s3", "put")
        bucket.submit(queue)
        stay(8)
        assert len(container.requests) == 1, "nothing is received while it is refused"
        assert sidecar.get("/healthz") == (500, "unhealthy")
        assert queue.count() == 2, "nothing is lost"
        refusing.denied = set()
        eventually(lambda: len(container.requests) == 2, "work to go on")


def test_a_batch_whose_message_may_not_be_deleted_runs_once(
    refusing: RefusingCloud, cloud: Cloud, queue: Queue, container: Container
) -> None:
    refusing.denied = {"sqs:DeleteMessage"}
    queue.send("[1]")
    # A stalled sidecar loses a shorter lease, and its batch runs once more.
    settings = batch_settings(cloud, queue, container.port, DEQUEUER_VISIBILITY_TIMEOUT="8")
    with Sidecar(settings | refusing.settings(queue)) as sidecar:
        wait_refused(sidecar, "sqs", "ack")
        queue.send("[2]")
        stay(9)
        assert len(container.requests) == 1
        refusing.denied = set()
        assert sidecar.wait() == 0
    assert [request.body for request in container.requests] == [b"[1]", b"[2]"]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("s3:PutObject", ("CreateMultipartUpload", "cluster-uid/workloads/api/", "s3:PutObject")),
        ("s3:ListBucket", ("ListObjectsV2", "cluster-uid/workloads/api/", "s3:ListBucket")),
        ("sqs:GetQueueAttributes", ("GetQueueAttributes", "sqs:GetQueueAttributes")),
    ],
)
def test_a_refusal_at_start_up_ends_the_process(
    refusing: RefusingCloud,
    cloud: Cloud,
    queue: Queue,
    bucket: Bucket,
    container: Container,
    action: str,
    words: tuple[str, ...],
) -> None:
    refusing.denied = {action}
    with starting(refusing, cloud, queue, bucket, container) as sidecar:
        assert sidecar.wait() == 1
        [line] = sidecar.events("cannot_go_on")
        for word in words:
            assert word in line["error"]


def test_start_up_leaves_nothing_in_the_bucket(
    refusing: RefusingCloud, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with starting(refusing, cloud, queue, bucket, container) as sidecar:
        at_work(sidecar)
        assert "Contents" not in bucket.s3.list_objects_v2(Bucket=bucket.name)
        assert not bucket.s3.list_multipart_uploads(Bucket=bucket.name).get("Uploads")
