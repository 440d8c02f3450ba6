"""A message that is delivered again after its work was done is not sent to the container again."""

from __future__ import annotations

import json

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually

FAILURE = json.dumps({"error": "before", "status_code": 500, "attempts": 1}).encode()


def settled(sidecar: Sidecar, count: int = 1) -> list[str]:
    """Wait until this number of messages is settled; return how."""
    return [line["settlement"] for line in sidecar.settled(count)]


def deliver_again(queue: Queue, bucket: Bucket, request_id: str) -> None:
    """Send the message so that the sidecar's receive is a second one, as it is after a crash."""
    queue.send(request_id)
    eventually(queue.take, "the first receive")


@pytest.mark.parametrize(
    ("there", "left"),
    [
        # A crash after the message was deleted and before its input was: the queue delivered it twice.
        (["result.json", "status/completed", "payload", "headers.json"], ["result.json", "status/completed"]),
        # A crash between the result and the status.
        (["result.json", "payload", "headers.json"], ["result.json", "status/completed"]),
        (["result.json", "status/completed"], ["result.json", "status/completed"]),
        (["result.json"], ["result.json", "status/completed"]),
        # Failed: the payload is kept for inspection.
        (["status/failed", "payload", "headers.json"], ["status/failed", "payload"]),
        (["status/failed", "payload"], ["status/failed", "payload"]),
    ],
)
def test_a_crash_between_any_two_steps_is_finished_without_the_container(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, there: list[str], left: list[str]
) -> None:
    for name in there:
        bucket.put("r-1", name, {"status/failed": FAILURE, "headers.json": b"{}"}.get(name, b"[1]"))
    deliver_again(queue, bucket, "r-1")
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        eventually(lambda: bucket.names("r-1") == set(left) and queue.is_empty(), "what was left undone")
        assert settled(sidecar) == ["already_finished"]
    assert container.requests == []
    for name in ("result.json", "status/failed"):
        if name in left:
            assert bucket.get("r-1", name) == (FAILURE if "failed" in name else b"[1]", "text/plain")


@pytest.mark.parametrize("there", [["result.json"], ["result.json", "status/completed"]])
def test_a_duplicate_that_is_received_first_finds_the_work_done(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, there: list[str]
) -> None:
    for name in there:
        bucket.put("r-1", name, b"1")
    queue.send("r-1")
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        eventually(queue.is_empty, "the queue to be empty")
        assert settled(sidecar) == ["already_finished"]
    assert bucket.names("r-1") == {"result.json", "status/completed"}
    assert container.requests == []


def test_two_messages_of_one_request_make_one_result(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = lambda _request: Reply(body=b"[%d]" % len(container.requests))
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        queue.send(request_id)
        eventually(queue.is_empty, "the second message to be deleted")
        assert settled(sidecar, 2) == ["completed", "already_finished"]
    assert bucket.get(request_id, "result.json") == (b"[1]", "application/json")
    assert len(container.requests) == 1


def test_a_failed_request_can_be_submitted_again(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = lambda _request: Reply(status=500)
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        first = bucket.submit(queue, b"kept")
        assert eventually(lambda: bucket.ended(first), "the request to end") == "failed"
        kept = bucket.get(first, "payload")
        assert kept == (b"kept", "text/plain")
        container.reply = lambda _request: Reply()
        second = bucket.submit(queue, kept[0])
        assert eventually(lambda: bucket.ended(second), "the request to end") == "completed"
