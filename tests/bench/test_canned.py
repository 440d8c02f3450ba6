"""The canned servers, each as one connection sees it: what is measured against them is worth what they are."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any, cast

import pytest

from bench.canned.container import Container
from bench.canned.control import Control
from bench.canned.http import KEPT_BYTES, Connection, Serve
from bench.canned.s3 import S3
from bench.canned.sqs import Sqs
from bench.canned.state import Shape, State, Watch


class Wire(asyncio.Transport):
    """Collects what a server sends."""

    def __init__(self, serve: Serve) -> None:
        super().__init__()
        self.sent = b""
        self.has_sent = asyncio.Event()
        self.connection = Connection(serve)
        self.connection.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.sent += bytes(data)
        self.has_sent.set()

    def ask(self, method: str, target: str, body: bytes = b"", **fields: str) -> tuple[int, bytes]:
        self.sent = b""
        self.has_sent.clear()
        lines = [f"{method} {target} HTTP/1.1", *(f"{name.replace('_', '-')}: {text}" for name, text in fields.items())]
        lines.append(f"content-length: {len(body)}")
        self.connection.data_received("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self.answer()

    def answer(self) -> tuple[int, bytes]:
        head, _, body = self.sent.partition(b"\r\n\r\n")
        return (int(head.split()[1]) if head else 0), body

    def sqs(self, action: str, **asked: object) -> dict[str, Any]:
        _, body = self.ask("POST", "/", json.dumps(asked).encode(), X_Amz_Target=f"AmazonSQS.{action}")
        return cast("dict[str, Any]", json.loads(body)) if body else {}


def queue(shape: Shape) -> tuple[State, Wire]:
    state = State(shape=shape)
    return state, Wire(Sqs(state).serve)


def test_a_receive_brings_what_was_asked_for_and_no_more_than_there_is() -> None:
    _, wire = queue(Shape(messages=12))
    first = wire.sqs("ReceiveMessage", MaxNumberOfMessages=10)["Messages"]
    second = wire.sqs("ReceiveMessage", MaxNumberOfMessages=10)["Messages"]
    assert (len(first), len(second)) == (10, 2)
    assert wire.sqs("ReceiveMessage", MaxNumberOfMessages=10) == {}
    for name in ("MessageId", "ReceiptHandle", "Body"):
        assert len({message[name] for message in first + second}) == 12


def test_listings_say_of_each_request_that_it_waits_where_that_is_wanted() -> None:
    asked = "/bench-bucket?list-type=2&prefix=cluster-uid%2Fworkloads%2Fapi%2F{}id1%2F"
    waits = Wire(S3(State(shape=Shape(requests_wait=True))).serve)
    status, listing = waits.ask("GET", asked.format(""))
    assert status == 200
    assert b"<Key>cluster-uid/workloads/api/id1/status/in_queue</Key>" in listing
    for wire, folder in ((waits, "_attempts%2F"), (Wire(S3(State()).serve), "")):
        _, listing = wire.ask("GET", asked.format(folder))
        assert b"<KeyCount>0</KeyCount>" in listing


def test_a_batch_is_a_json_array_of_its_size() -> None:
    _, wire = queue(Shape(kind="batch", messages=1, payload_bytes=1024))
    (message,) = wire.sqs("ReceiveMessage", MaxNumberOfMessages=1)["Messages"]
    assert len(message["Body"]) == 1024
    assert len(json.loads(message["Body"])) == 1


@pytest.mark.looptime
async def test_a_long_poll_waits_for_a_message_or_for_its_end() -> None:
    state = State()
    sqs = Sqs(state)
    wire = Wire(sqs.serve)
    assert wire.sqs("ReceiveMessage", MaxNumberOfMessages=10, WaitTimeSeconds=20) == {}
    assert wire.sent == b""
    await asyncio.sleep(19)
    assert wire.sent == b""
    sqs.queue.put()
    assert len(json.loads(wire.answer()[1])["Messages"]) == 1
    wire.sqs("ReceiveMessage", MaxNumberOfMessages=10, WaitTimeSeconds=20)
    await asyncio.sleep(20.1)
    assert wire.answer() == (200, b"{}")


@pytest.mark.looptime
async def test_messages_appear_at_a_steady_rate_from_the_first_receive_on() -> None:
    _, wire = queue(Shape(messages=100, rate=50))
    await asyncio.sleep(5)
    count = 0
    loop = asyncio.get_running_loop()
    started = loop.time()
    while count < 100:
        wire.sqs("ReceiveMessage", MaxNumberOfMessages=10, WaitTimeSeconds=20)
        await wire.has_sent.wait()
        count += len(json.loads(wire.answer()[1])["Messages"])
    assert loop.time() - started == pytest.approx(99 / 50, abs=0.01)


def test_a_deletion_answers_for_each_entry_and_counts_it() -> None:
    state, wire = queue(Shape())
    entries = [{"Id": name, "ReceiptHandle": "r"} for name in ("0", "1", "7")]
    answer = wire.sqs("DeleteMessageBatch", QueueUrl="q", Entries=entries)
    assert answer == {"Successful": [{"Id": "0"}, {"Id": "1"}, {"Id": "7"}]}
    assert state.done == 3


def test_an_unknown_call_is_remembered() -> None:
    state, wire = queue(Shape())
    wire.sqs("PurgeQueue")
    assert state.observed()["unexpected"] == ["SQS PurgeQueue"]


@pytest.mark.parametrize(
    ("method", "target", "status", "operation"),
    [
        ("GET", "/b/c/workloads/a/1/payload", 200, "GetObject"),
        ("GET", "/b/c/workloads/a/1/headers.json", 200, "GetObject"),
        ("HEAD", "/b/c/workloads/a/1/payload", 200, "HeadObject"),
        ("PUT", "/b/c/workloads/a/1/result.json", 200, "PutObject"),
        ("DELETE", "/b/c/workloads/a/1/payload", 204, "DeleteObject"),
        ("POST", "/b?delete=", 200, "DeleteObjects"),
        ("POST", "/b?delete", 200, "DeleteObjects"),
        ("GET", "/b?encoding-type=url&list-type=2&prefix=c", 200, "ListObjectsV2"),
        ("GET", "/b?lifecycle=", 200, "GetBucketLifecycleConfiguration"),
        ("POST", "/b/k?uploads=", 200, "CreateMultipartUpload"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", 200, "UploadPart"),
        ("POST", "/b/k?uploadId=u", 200, "CompleteMultipartUpload"),
        ("GET", "/b/c/workloads/a/1/status/failed", 404, "unexpected"),
        ("PUT", "/b?lifecycle=", 404, "unexpected"),
    ],
)
def test_the_store_knows_what_is_asked(method: str, target: str, status: int, operation: str) -> None:
    state = State()
    assert Wire(S3(state).serve).ask(method, target)[0] == status
    assert state.requests == {operation: 1}


@pytest.mark.parametrize(("quiet", "entries"), [(b"<Quiet>true</Quiet>", 0), (b"", 2)])
def test_deletions_are_named_unless_only_failures_are_asked_for(quiet: bytes, entries: int) -> None:
    objects = b"<Object><Key>a/payload</Key></Object><Object><Key>a/headers.json</Key></Object>"
    _, body = Wire(S3(State()).serve).ask("POST", "/b?delete", b"<Delete>" + quiet + objects + b"</Delete>")
    assert body.count(b"<Deleted><Key>a/") == entries


def test_a_part_of_an_object_is_not_asked_for_by_a_client_that_is_well() -> None:
    state = State()
    Wire(S3(state).serve).ask("GET", "/b/c/workloads/a/1/payload", Range="bytes=5-")
    assert state.unexpected


@pytest.mark.parametrize("size", [1024, 10 * 1024 * 1024])
def test_objects_and_results_have_the_size_that_was_asked_for(size: int) -> None:
    state = State(shape=Shape(payload_bytes=size, result_bytes=size))
    _, payload = Wire(S3(state).serve).ask("GET", "/b/1/payload")
    _, result = Wire(Container(state).serve).ask("POST", "/", b"x" * size)
    assert (len(payload), len(result)) == (size, size)
    assert list(json.loads(result)) == ["scores"]
    assert state.posts == 1


@pytest.mark.parametrize("step", [1, 7, 100, 5000])
def test_requests_arrive_in_any_pieces(step: int) -> None:
    state = State()
    wire = Wire(S3(state).serve)
    put = b"PUT /b/k HTTP/1.1\r\nContent-Length: 300\r\n\r\n" + b"y" * 300
    stream = (put + b"GET /b/1/payload HTTP/1.1\r\n\r\n") * 3
    for at in range(0, len(stream), step):
        wire.connection.data_received(stream[at : at + step])
    assert state.requests == {"PutObject": 3, "GetObject": 3}
    assert wire.sent.count(b"HTTP/1.1 200 OK") == 6


def test_a_large_body_is_not_kept() -> None:
    state = State()
    seen: list[int] = []
    wire = Wire(lambda request: seen.append(len(request.body)))
    for size in (KEPT_BYTES, KEPT_BYTES + 1):
        wire.ask("PUT", "/", b"z" * size)
    assert seen == [KEPT_BYTES, 0]
    assert not state.unexpected


def test_a_process_is_measured_when_the_counts_are_reached() -> None:
    state, wire = queue(Shape())
    state.watch = Watch(pid=os.getpid(), at=(2, 5), of="done")
    for _ in range(7):
        wire.sqs("DeleteMessageBatch", Entries=[{"Id": "0"}])
    marks = state.observed()["marks"]
    assert [mark["count"] for mark in marks] == [2, 5]
    assert [mark["requests"]["DeleteMessageBatch"] for mark in marks] == [2, 5]
    assert marks[1]["cpu_s"] >= marks[0]["cpu_s"] > 0


def test_the_control_serves_a_shape_and_refuses_an_unknown_one() -> None:
    state = State()
    sqs = Sqs(state)
    wire = Wire(Control(state, sqs).serve)
    state.count_done(3)
    assert json.loads(wire.ask("GET", "/_bench")[1])["done"] == 3
    assert json.loads(wire.ask("POST", "/_bench", b'{"shape": {"messages": 4}}')[1])["done"] == 0
    assert sqs.queue.visible == 4
    status, text = wire.ask("POST", "/_bench", b'{"shape": {"mesages": 4}}')
    assert (status, text) == (400, b"ValueError: a shape has no mesages")


@pytest.mark.looptime
async def test_queue_and_store_answer_as_late_as_they_are_far_away() -> None:
    state = State(shape=Shape(messages=2, sqs_delay_s=0.02, get_delay_s=0.03, put_delay_s=0.04))
    queue, store = Sqs(state), S3(state)

    async def answered_after(wire: Wire) -> float:
        began = asyncio.get_running_loop().time()
        assert wire.answer() == (0, b"")
        await wire.has_sent.wait()
        assert wire.answer()[0] == 200
        return asyncio.get_running_loop().time() - began

    for serve, method, target, late_s in (
        (queue.serve, "POST", "/", 0.02),
        (store.serve, "GET", "/b/1/payload", 0.03),
        (store.serve, "PUT", "/b/1/result.json", 0.04),
    ):
        wire = Wire(serve)
        wire.ask(method, target, b"{}", X_Amz_Target="AmazonSQS.ReceiveMessage")
        assert await answered_after(wire) == pytest.approx(late_s)


@pytest.mark.looptime
async def test_the_container_responds_after_its_work_time_and_counts_running_requests() -> None:
    state = State(shape=Shape(work_s=0.5))
    container = Container(state)
    wires = [Wire(container.serve) for _ in range(3)]
    for wire in wires:
        assert wire.ask("POST", "/", b"{}") == (0, b"")
    await asyncio.sleep(0.6)
    assert [wire.answer()[0] for wire in wires] == [200] * 3
    assert (state.max_running, state.running) == (3, 0)


def test_a_latency_is_from_the_put_to_the_post() -> None:
    state = State()
    sqs = Sqs(state)
    sqs.queue.put()
    Wire(Container(state).serve).ask("POST", "/", b"{}")
    Wire(Container(state).serve).ask("POST", "/", b"{}")
    assert len(state.latencies_s) == 1
