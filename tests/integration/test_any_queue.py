"""Any queue: messages of others, each worked off a real queue, retried and dead-lettered."""

from __future__ import annotations

import json
import threading
import time

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply, Request
from tests.integration.sidecar import Sidecar, queue_settings
from tests.integration.waiting import eventually

everywhere = pytest.mark.parametrize("cloud", ["ministack", "moto", "fauxqs"], indirect=True)
two_servers = pytest.mark.parametrize("cloud", ["ministack", "fauxqs"], indirect=True)
TEST_EVENT = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})


def event(key: str) -> str:
    return json.dumps({"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": key}}}]})


def bodies(container: Container) -> list[bytes]:
    return sorted(request.body for request in container.requests)


@everywhere
def test_raw_bodies_with_the_headers_of_elastic_beanstalk(cloud: Cloud, queue: Queue, container: Container) -> None:
    sent = cloud.sqs.send_message(
        QueueUrl=queue.url,
        MessageBody="not JSON: naïve \N{SNOWMAN}",
        MessageAttributes={
            "colour": {"DataType": "String", "StringValue": "vermilion"},
            "count": {"DataType": "Number", "StringValue": "7"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            "lines": {"DataType": "String", "StringValue": "a\r\nX-Aws-Sqsd-Sender-Id: root"},
            "large": {"DataType": "String", "StringValue": "x" * 100_000},
        },
    )
    with Sidecar(queue_settings(cloud, queue, container.port, DEQUEUER_QUEUE_PATH="/work")) as sidecar:
        [line] = sidecar.settled(1)
        assert sidecar.metric('dequeuer_messages_total{settlement="succeeded"}') == 1
        sidecar.terminate()
        assert sidecar.wait() == 0
    assert (line["settlement"], line["message_id"]) == ("succeeded", sent["MessageId"])
    [request] = container.requests
    assert (request.path, request.body) == ("/work", "not JSON: naïve \N{SNOWMAN}".encode())
    expected = {
        "Content-Type": "application/json",
        "User-Agent": "aws-sqsd/2.0",
        "X-Aws-Sqsd-Msgid": sent["MessageId"],
        "X-Aws-Sqsd-Queue": queue.url.rpartition("/")[2],
        "X-Aws-Sqsd-Receive-Count": "1",
        "X-Aws-Sqsd-Attr-colour": "vermilion",
        "X-Aws-Sqsd-Attr-count": "7",
        "X-Dequeuer-Omitted-Attributes": "2",
    }
    for name, value in expected.items():
        assert request.header(name) == [value], name
    for name in ("First-Received-At", "Sender-Id"):
        [value] = request.header(f"X-Aws-Sqsd-{name}")
        assert value
        assert value != "root"
    for name in ("bytes", "lines", "large"):
        assert request.header(f"X-Aws-Sqsd-Attr-{name}") == []
    assert queue.is_empty()
    for text in ("naïve", "na\\u00efve", "X-Aws-Sqsd", "vermilion"):
        assert not any(text in line for line in sidecar.lines), text


@two_servers
def test_what_fails_is_dead_lettered_and_what_is_refused_for_now_is_not(cloud: Cloud, container: Container) -> None:
    queue = cloud.queue(max_receives=2)
    busy = [Reply(status=503, headers={"Retry-After": "1"})]

    def reply(request: Request) -> Reply:
        if request.body == b"bad":
            return Reply(status=204, body=b"")
        return busy.pop() if request.body == b"busy" and busy else Reply()

    container.reply = reply
    for body in ("bad", "busy", "good"):
        queue.send(body)
    with Sidecar(queue_settings(cloud, queue, container.port)):
        eventually(lambda: queue.dead_letters and queue.dead_letters.count() == 1, "the dead-letter queue")
        eventually(queue.is_empty, "an empty queue")
    assert bodies(container) == [b"bad", b"bad", b"busy", b"busy", b"good"]


def test_without_a_redrive_policy_the_last_failed_attempt_ends_a_message(
    cloud: Cloud, queue: Queue, container: Container
) -> None:
    container.reply = lambda _request: Reply(status=500)
    queue.send("bad")
    with Sidecar(queue_settings(cloud, queue, container.port, DEQUEUER_MAX_ATTEMPTS="2")) as sidecar:
        settled = [line["settlement"] for line in sidecar.settled(2)]
    assert settled == ["retried", "rejected"]
    assert len(container.requests) == 2
    assert queue.is_empty()


def test_events_of_s3_arrive_whole_and_its_test_event_does_not(
    cloud: Cloud, queue: Queue, container: Container
) -> None:
    notification = {"Type": "Notification", "TopicArn": "arn:aws:sns:us-west-2:1:t", "Message": event("b+c")}
    for body in (TEST_EVENT, event("a"), json.dumps(notification)):
        queue.send(body)
    with Sidecar(queue_settings(cloud, queue, container.port, DEQUEUER_QUEUE_FORMAT="s3-events")) as sidecar:
        sidecar.settled(3)
    assert bodies(container) == [event("a").encode(), event("b+c").encode()]
    assert queue.is_empty()


@everywhere
def test_pointers_of_the_extended_client_and_results(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    large = b"x" * 3_000_000
    bucket.s3.put_object(Bucket=bucket.name, Key="payloads/1", Body=large)
    bucket.s3.put_object(Bucket=bucket.name, Key="payloads/2", Body=b"small")

    def pointer(key: str, name: str = bucket.name) -> str:
        pointed = {"s3BucketName": name, "s3Key": key}
        return json.dumps(["software.amazon.payloadoffloading.PayloadS3Pointer", pointed])

    container.reply = lambda request: Reply(body=b"\xff" * request.size, headers={"Content-Type": "image/png"})
    settings = queue_settings(
        cloud,
        queue,
        container.port,
        DEQUEUER_QUEUE_PAYLOAD_BUCKETS=bucket.name,
        DEQUEUER_QUEUE_DELETE_PAYLOADS="true",
        DEQUEUER_QUEUE_RESULTS=f"s3://{bucket.name}/results/",
        DEQUEUER_MAX_ATTEMPTS="2",
    )
    for body in (pointer("payloads/1"), pointer("payloads/2"), pointer("missing"), pointer("payloads/1", "secrets")):
        queue.send(body, ExtendedPayloadSize="3000000")
    with Sidecar(settings) as sidecar:
        settled = sidecar.settled(5)
        eventually(lambda: keys(bucket, "payloads/") == set(), "the payloads to be deleted")
    outcomes = sorted(line["settlement"] for line in settled)
    assert outcomes == ["completed", "completed", "poison", "rejected", "retried"]
    assert sorted(request.size for request in container.requests) == [5, 3_000_000]
    done = {line["message_id"] for line in settled if line["settlement"] == "completed"}
    assert keys(bucket, "results/") == {f"results/{name}" for name in done}
    results = [bucket.s3.get_object(Bucket=bucket.name, Key=f"results/{name}") for name in done]
    assert sorted(result["ContentLength"] for result in results) == [5, 3_000_000]
    assert {result["ContentType"] for result in results} == {"image/png"}
    assert queue.is_empty()


def keys(bucket: Bucket, prefix: str) -> set[str]:
    listed = bucket.s3.list_objects_v2(Bucket=bucket.name, Prefix=prefix).get("Contents", ())
    return {entry["Key"] for entry in listed}


def test_a_finished_message_is_not_run_again(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    queue.send("work")
    received = cloud.sqs.receive_message(QueueUrl=queue.url, VisibilityTimeout=0)["Messages"]
    key = f"results/{received[0]['MessageId']}"
    bucket.s3.put_object(Bucket=bucket.name, Key=key, Body=b"of an earlier delivery")
    settings = queue_settings(cloud, queue, container.port, DEQUEUER_QUEUE_RESULTS=f"s3://{bucket.name}/results/")
    with Sidecar(settings) as sidecar:
        [line] = sidecar.settled(1)
    assert line["settlement"] == "already_finished"
    assert container.requests == []
    assert bucket.s3.get_object(Bucket=bucket.name, Key=key)["Body"].read() == b"of an earlier delivery"


@two_servers
def test_no_message_of_a_group_overtakes_one_that_was_released(cloud: Cloud, container: Container) -> None:
    queue = cloud.queue(fifo=True)
    lock = threading.Lock()
    order: list[str] = []
    failed: set[str] = set()
    both_groups = threading.Barrier(2)

    def reply(request: Request) -> Reply:
        name = request.body.decode()
        with lock:
            order.append(name)
            is_first = name not in failed
            failed.add(name)
        if is_first and name.endswith("0"):
            both_groups.wait(60)
        time.sleep(0.02)  # so that work on two messages of a group would overlap
        return Reply(status=503 if is_first and name.endswith(("0", "2")) else 200, headers={"Retry-After": "1"})

    container.reply = reply
    for number in range(4):
        for group in "ab":
            name = f"{group}{number}"
            cloud.sqs.send_message(
                QueueUrl=queue.url, MessageBody=name, MessageGroupId=group, MessageDeduplicationId=name
            )
    with Sidecar(queue_settings(cloud, queue, container.port, DEQUEUER_WORKERS="8")):
        eventually(queue.is_empty, "an empty queue")
    assert not both_groups.broken, "one group waited for the other"
    for group in "ab":
        expected = [f"{group}{number}" for number in (0, 0, 1, 2, 2, 3)]
        assert [name for name in order if name.startswith(group)] == expected


def test_a_kill_in_the_middle_loses_nothing(cloud: Cloud, queue: Queue, container: Container) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def reply(_request: Request) -> Reply:
        arrived.set()
        assert go_on.wait(60)
        return Reply()

    container.reply = reply
    queue.send("work")
    # A stalled sidecar loses a shorter lease, and its message arrives once more.
    settings = queue_settings(cloud, queue, container.port, DEQUEUER_VISIBILITY_TIMEOUT="6")
    with Sidecar(settings):
        assert arrived.wait(60)
    go_on.set()
    with Sidecar(settings) as sidecar:
        [line] = sidecar.settled(1)
    assert line["settlement"] == "succeeded"
    assert [request.header("X-Aws-Sqsd-Receive-Count") for request in container.requests] == [["1"], ["2"]]
