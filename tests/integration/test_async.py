"""Requests in the format of Cortex, from the queue through the container to the bucket."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
import uuid

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply, in_turn
from tests.integration.servers import free_port
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually

everywhere = pytest.mark.parametrize("cloud", ["ministack", "moto", "fauxqs"], indirect=True)
OUT = {"result.json", "status/completed", "status/in_queue"}


@everywhere
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_request_comes_out(cloud: Cloud, bucket: Bucket, container: Container, fifo: bool) -> None:
    queue = cloud.queue(fifo=fifo)
    answer = b'{"big": 12345678901234567890, "long": 1.000000000000000000001}'
    container.reply = lambda _request: Reply(body=answer)
    payload = bytes(range(256)) * 10
    headers = {
        "Content-Type": ["image/png"],
        "X-Twice": ["1", "2"],
        "Authorization": ["Bearer s3cret"],
        "Connection": ["keep-alive, X-Hop"],
        "X-Hop": ["gone"],
        "Host": ["elsewhere"],
        "Content-Length": ["1"],
    }
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        request_id = bucket.submit(queue, payload, headers)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        eventually(queue.is_empty, "the queue to be empty")
        sidecar.terminate()
        assert sidecar.wait() == 0
    assert bucket.get(request_id, "result.json") == (answer, "application/json")
    assert bucket.names(request_id) == OUT
    [request] = container.requests
    assert (request.path, request.body) == ("/", payload)
    sent = sorted((name.lower(), value) for name, value in request.headers)
    assert sent == [
        ("authorization", "Bearer s3cret"),
        ("content-length", str(len(payload))),
        ("content-type", "image/png"),
        ("host", f"127.0.0.1:{container.port}"),
        ("x-cortex-request-id", request_id),
        ("x-twice", "1"),
        ("x-twice", "2"),
    ]
    log = "\n".join(sidecar.lines)
    assert request_id in log
    assert "s3cret" not in log


@everywhere
@pytest.mark.parametrize(
    ("reply", "status_code"),
    [
        (Reply(status=500), 500),
        (Reply(status=302, headers={"Location": "/"}), 302),
        (Reply(headers={"Content-Type": "text/html"}, body=b"<p>"), 200),
        (Reply(body=b"[NaN]"), 200),
    ],
    ids=["500", "302", "html", "NaN"],
)
def test_what_is_no_result_is_failed(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, reply: Reply, status_code: int
) -> None:
    container.reply = lambda _request: reply
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "failed"
        eventually(queue.is_empty, "the queue to be empty")
    failure = bucket.failure(request_id)
    assert (failure["status_code"], failure["attempts"]) == (status_code, 1)
    assert bucket.names(request_id) == {"payload", "status/failed", "status/in_queue"}
    assert len(container.requests) == 1


@everywhere
def test_busy_answers_are_tried_again(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    container.reply = in_turn(Reply(status=503, headers={"Retry-After": "1"}), Reply(status=429), Reply())
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert len(container.requests) == 3


def test_half_an_answer_is_tried_again_and_not_failed(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = in_turn(Reply(cut=3), Reply(cut=0), Reply())
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert len(container.requests) == 3


def test_a_container_restarted_in_mid_request_gets_it_again(cloud: Cloud, queue: Queue, bucket: Bucket) -> None:
    forever = threading.Event()

    def hang(_request: object) -> Reply:
        forever.wait()
        return Reply()

    with (
        Container(hang, port=free_port()) as first,
        Sidecar(async_settings(cloud, queue, bucket, first.port)) as sidecar,
    ):
        request_id = bucket.submit(queue)
        eventually(lambda: first.requests, "the container to have the request")
        first.stop()
        eventually(lambda: sidecar.events("message_settled"), "the message to be given back")
        with Container(port=first.port) as second:
            assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
            assert len(second.requests) == 1
        assert [line["settlement"] for line in sidecar.settled(2)] == ["retried", "completed"]
        forever.set()


def test_a_container_that_never_comes_fails_the_request_after_max_attempts(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = lambda _request: Reply(cut=0)
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_MAX_ATTEMPTS="2")
    with Sidecar(settings):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "failed"
    assert bucket.failure(request_id)["attempts"] == 2
    assert len(container.requests) == 2


def test_no_answer_in_time_is_failed(cloud: Cloud, queue: Queue, bucket: Bucket) -> None:
    forever = threading.Event()

    def hang(_request: object) -> Reply:
        forever.wait()
        return Reply()

    with Container(hang) as container:
        settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_REQUEST_TIMEOUT="0.5")
        with Sidecar(settings):
            request_id = bucket.submit(queue)
            assert eventually(lambda: bucket.ended(request_id), "the request to end") == "failed"
        forever.set()
    assert "0.5 s" in bucket.failure(request_id)["error"]


def test_too_large_an_answer_is_failed(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    container.reply = lambda _request: Reply(body=b'"' + b"a" * 3_000_000 + b'"')
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_MAX_RESULT_BYTES="2MiB")
    with Sidecar(settings):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "failed"
    assert "DEQUEUER_MAX_RESULT_BYTES" in bucket.failure(request_id)["error"]
    assert "result.json" not in bucket.names(request_id)


def test_a_compressed_answer_is_stored_decoded(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    packed = gzip.compress(b'{"packed": true}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    container.reply = lambda _request: Reply(body=packed, headers=headers)
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert bucket.get(request_id, "result.json") == (b'{"packed": true}', "application/json")


# fauxqs does not accept objects of this size.
@pytest.mark.parametrize("cloud", ["ministack", "moto"], indirect=True)
def test_large_payloads_and_results_pass_byte_for_byte(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    payload = hashlib.shake_256(b"payload").digest(12_000_000)
    answer = json.dumps({"blob": hashlib.shake_256(b"answer").hexdigest(6_000_000)}).encode()
    container.reply = lambda _request: Reply(body=answer)
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue, payload)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert container.requests[0].digest == hashlib.sha256(payload).hexdigest()
    result = bucket.get(request_id, "result.json")
    assert result is not None
    assert hashlib.sha256(result[0]).digest() == hashlib.sha256(answer).digest()


@pytest.mark.parametrize("headers", [b"[]", b"not JSON", b'{"X": ["a\\r\\nInjected: yes"]}'])
def test_malformed_headers_fail_the_request(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, headers: bytes
) -> None:
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue, headers=headers)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "failed"
    assert "headers.json" in bucket.failure(request_id)["error"]
    assert container.requests == []


def test_null_headers_are_no_headers(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue, headers=b"null")
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert container.requests[0].header("Content-Type") == ["text/plain"]


def test_a_missing_payload_fails_and_finished_work_is_not_done_again(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        missing = bucket.submit(queue, payload=None)
        assert eventually(lambda: bucket.ended(missing), "the request to end") == "failed"
        assert "payload" in bucket.failure(missing)["error"]
        for left in (["result.json"], ["result.json", "status/completed"]):
            finished = str(uuid.uuid4())
            for name in left:
                bucket.put(finished, name, b"1", "application/json")
            bucket.submit(queue, payload=None, request_id=finished)
            eventually(queue.is_empty, "the queue to be empty")
    assert container.requests == []


@everywhere
@pytest.mark.parametrize("poison", ["../escape", "a/b", "x" * 100_000, "with\nline"])
def test_poison_goes_to_the_dead_letter_queue_or_is_deleted(
    cloud: Cloud, bucket: Bucket, container: Container, poison: str
) -> None:
    with_redrive, without = cloud.queue(max_receives=1), cloud.queue()
    assert with_redrive.dead_letters is not None
    for queue in (with_redrive, without):
        queue.send(poison)
        with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
            eventually(lambda: sidecar.events("message_settled"), "the message to be judged")
            if queue is without:
                eventually(queue.is_empty, "the queue to be empty")
            else:
                eventually(lambda: with_redrive.dead_letters and with_redrive.dead_letters.count() == 1, "redrive")
            assert sidecar.events("message_settled")[0]["settlement"] == "poison"
            assert max(map(len, sidecar.lines)) < 2000
    assert container.requests == []
    assert "Contents" not in bucket.s3.list_objects_v2(Bucket=bucket.name)


def test_nothing_is_received_before_the_container_is_ready(cloud: Cloud, queue: Queue, bucket: Bucket) -> None:
    port = free_port()
    with Sidecar(async_settings(cloud, queue, bucket, port)) as sidecar:
        request_id = bucket.submit(queue)
        eventually(lambda: sidecar.get("/healthz") == (500, "unhealthy"), "the admin server")
        eventually(lambda: sidecar.events("started"), "the start")
        eventually(
            lambda: sidecar.metric('dequeuer_probes_total{ok="false",probe="user_port:tcp_socket"}') > 5, "probes"
        )
        assert sidecar.metric('dequeuer_source_calls_total{error="none",op="receive"}') == 0
        with Container(port=port):
            assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
            [line] = sidecar.settled(1)
            assert line["receive_count"] == 1


def test_no_more_at_a_time_than_there_are_workers(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    full = threading.Event()

    def wait_for_company(_request: object) -> Reply:
        if container.running == 4:
            full.set()
        full.wait(60)
        return Reply()

    container.reply = wait_for_company
    requests = [bucket.submit(queue) for _ in range(12)]
    with Sidecar(async_settings(cloud, queue, bucket, container.port, DEQUEUER_WORKERS="4")):
        for request_id in requests:
            assert eventually(lambda request_id=request_id: bucket.ended(request_id), "the end") == "completed"  # type: ignore[misc]
    assert container.most_running == 4
    assert len(container.requests) == 12
