"""Other responses of the container: rows of the table of outcomes, each with a whole sidecar."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply, in_turn
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("reply", "status_code"),
    [
        (Reply(status=204, body=b"", headers={}), 204),
        (Reply(status=201), 201),
        (Reply(status=404), 404),
        (Reply(body=b""), 200),
        (Reply(headers={}), 200),
        (Reply(headers={"Content-Type": "application/jsonp"}), 200),
        (Reply(body=b'{"a": 1,}'), 200),
        (Reply(body=b'{"a": "\xff\xfe"}'), 200),
        (Reply(body=b'{"a": 1'), 200),
        (Reply(body=b'{"a": 1} {"b": 2}'), 200),
        (Reply(body=b'{"a": Infinity}'), 200),
        (Reply(body=b"no gzip", headers={**JSON, "Content-Encoding": "gzip"}), 200),
    ],
    ids=lambda value: repr(value.body)[:24] + str(value.status) if isinstance(value, Reply) else "",
)
def test_it_is_failed_at_once_and_nothing_is_stored(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, reply: Reply, status_code: int
) -> None:
    container.reply = lambda _request: reply
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "failed"
        eventually(queue.is_empty, "the queue to be empty")
    assert bucket.failure(request_id)["status_code"] == status_code
    assert bucket.failure(request_id)["error"]
    assert bucket.names(request_id) == {"payload", "status/failed", "status/in_queue"}
    assert len(container.requests) == 1


@pytest.mark.parametrize("answer", [b"null", b"0", b'"text"', b"[]", b" \n1e400\t", b"-0.0"], ids=repr)
def test_any_value_is_a_result_and_is_kept_as_it_came(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, answer: bytes
) -> None:
    container.reply = lambda _request: Reply(body=answer, headers={"Content-Type": "Application/JSON; Charset=UTF-8"})
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert bucket.get(request_id, "result.json") == (answer, "application/json")


def test_an_answer_in_chunks_is_kept_whole(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    chunks = [b"[1,", b" 2", b"2, 3", b"]"]
    container.reply = lambda _request: Reply(chunks=chunks)
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert bucket.get(request_id, "result.json") == (b"[1, 22, 3]", "application/json")


def test_chunks_that_break_off_are_tried_again(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    # The received part is valid JSON: only the missing end shows that the response is incomplete.
    container.reply = in_turn(Reply(chunks=[b"[1]"], cut=0), Reply(chunks=[b"[1, 2]", b"  "]))
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert bucket.get(request_id, "result.json") == (b"[1, 2]  ", "application/json")
    assert len(container.requests) == 2


def test_no_answer_at_all_is_tried_again(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    container.reply = in_turn(Reply(status=0), Reply())
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert len(container.requests) == 2


def test_an_endless_answer_is_cut_off_at_the_limit(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    def endless() -> Iterator[bytes]:
        yield b'"'
        while True:
            yield b"a" * 65_536

    container.reply = lambda _request: Reply(chunks=endless())
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_MAX_RESULT_BYTES="20MiB")
    with Sidecar(settings) as sidecar:
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "failed"
        eventually(lambda: not container.connected(), "the connection to be given up")
        # Large enough to be uploaded in parts: none of them is left.
        assert sidecar.peak_mib() < 130
    assert "DEQUEUER_MAX_RESULT_BYTES" in bucket.failure(request_id)["error"]
    assert "result.json" not in bucket.names(request_id)
    assert "Uploads" not in bucket.s3.list_multipart_uploads(Bucket=bucket.name)


def test_an_answer_that_only_trickles_ends_with_the_time_for_it(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    never = threading.Event()

    def trickle() -> Iterator[bytes]:
        yield b"["
        while not never.wait(0.05):
            yield b" "

    container.reply = lambda _request: Reply(chunks=trickle())
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_REQUEST_TIMEOUT="1")
    with Sidecar(settings):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "failed"
    assert "1 s" in bucket.failure(request_id)["error"]


def test_a_large_answer_that_breaks_off_leaves_no_half_upload(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    answer = b'"' + hashlib.shake_256(b"large").hexdigest(8_000_000).encode() + b'"'
    container.reply = in_turn(Reply(body=answer, cut=14_000_000), Reply(body=answer))
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert bucket.get(request_id, "result.json") == (answer, "application/json")
    assert "Uploads" not in bucket.s3.list_multipart_uploads(Bucket=bucket.name)
    assert len(container.requests) == 2


def test_the_statuses_that_mean_later_can_be_chosen(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = in_turn(Reply(status=500), Reply(status=502), Reply(status=503))
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_RETRY_STATUSES="500,502")
    with Sidecar(settings):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "failed"
    assert bucket.failure(request_id)["status_code"] == 503
    assert len(container.requests) == 3


def test_retry_after_is_how_long_the_message_is_hidden(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = lambda _request: Reply(status=503, headers={"Retry-After": "3600"})
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        bucket.submit(queue)
        eventually(lambda: sidecar.events("message_settled"), "the message to be given back")
        # Without the release it would be visible after one second, and one of these polls would receive it.
        received = 'dequeuer_source_calls_total{error="none",op="receive"}'
        before = sidecar.metric(received)
        eventually(lambda: sidecar.metric(received) >= before + 4, "polls of a second each")
    assert len(container.requests) == 1
    assert queue.count() == 1


def test_answers_without_end_to_max_attempts_do_not_fail_what_is_only_busy(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    busy = Reply(status=429, headers={"Retry-After": "0"})
    container.reply = in_turn(busy, busy, busy, busy, Reply())
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_MAX_ATTEMPTS="2")
    with Sidecar(settings):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert len(container.requests) == 5
