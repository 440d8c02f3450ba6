from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dequeuer.core.errors import (
    SourceDeniedError,
    SourceGoneError,
    SourceUnavailableError,
    StoreDeniedError,
    StoreUnavailableError,
)
from dequeuer.formats.envelope import decode_envelope
from dequeuer.formats.failure import MAX_FAILURE_BYTES
from dequeuer.gateway.body import MAX_BUFFERED_BYTES
from dequeuer.gateway.errors import (
    BusyError,
    GatewayError,
    InvalidRequestError,
    PayloadTooLargeError,
    UnknownRequestError,
    UploadBrokenError,
)
from dequeuer.gateway.model import Submission, check_request_id
from dequeuer.gateway.request_store import (
    CALL_TIMEOUT_S,
    MAX_STREAMED_UPLOADS,
    STREAM_SLOT_TIMEOUT_S,
)
from tests.fakes import chunked
from tests.gateway.fakes import PREFIX, URL, FakeQueue, Store, broken_body, make_gateway

BIG = b"x" * (MAX_BUFFERED_BYTES + 200_000)


def submission(
    body: bytes | AsyncIterator[bytes] = b'{"a":1}',
    *,
    request_id: str = "id1",
    api_name: str = "api",
    size: int | None = None,
) -> Submission:
    return Submission(
        api_name=api_name,
        request_id=request_id,
        queue_url=URL,
        headers=b'{"A":["b"]}\n',
        content_type="application/json",
        size=size,
        body=chunked(body) if isinstance(body, bytes) else body,
    )


@pytest.mark.parametrize("payload", [b"", b'{"a":1}', BIG], ids=["empty", "small", "big"])
async def test_objects_then_status_then_message(store: Store, queue: FakeQueue, payload: bytes) -> None:
    receipt = await make_gateway(store, queue).submit(submission(payload), may_exist=False)
    assert (receipt.size, receipt.existing_status) == (len(payload), None)
    assert store.objects == {
        f"{PREFIX}id1/headers.json": (b'{"A":["b"]}\n', "application/json"),
        f"{PREFIX}id1/payload": (payload, "application/json"),
        f"{PREFIX}id1/status/in_queue": (b"", "text/plain"),
    }
    assert sorted(store.journal[:2]) == [("put", f"{PREFIX}id1/headers.json"), ("put", f"{PREFIX}id1/payload")]
    assert store.journal[2:] == [("put", f"{PREFIX}id1/status/in_queue"), ("send", "id1")]
    assert queue.sent == [(URL, "id1")]
    assert (store.streamed > 0) is (payload is BIG)


@pytest.mark.looptime
@pytest.mark.parametrize("suffix", ["headers.json", "payload", "status/in_queue"])
@pytest.mark.parametrize("payload", [b"{}", BIG], ids=["small", "big"])
@pytest.mark.parametrize("error", [StoreUnavailableError("the cause"), StoreDeniedError("the cause")])
async def test_a_failed_write_leaves_nothing(
    store: Store, queue: FakeQueue, suffix: str, payload: bytes, error: Exception
) -> None:
    store.break_at("put", suffix, error)
    with pytest.raises(BusyError) as caught:
        await make_gateway(store, queue).submit(submission(payload), may_exist=False)
    assert "the cause" not in str(caught.value)
    assert caught.value.__cause__ is error
    assert (store.objects, queue.sent) == ({}, [])


@pytest.mark.looptime
@pytest.mark.parametrize("error", [SourceUnavailableError("x"), SourceGoneError("x"), SourceDeniedError("x")])
async def test_a_failed_send_deletes_what_was_written(store: Store, queue: FakeQueue, error: Exception) -> None:
    queue.error = error
    with pytest.raises(BusyError, match="nothing was enqueued"):
        await make_gateway(store, queue).submit(submission(), may_exist=False)
    assert store.objects == {}


async def test_a_failed_clean_up_does_not_hide_the_reason(store: Store, queue: FakeQueue) -> None:
    queue.error = SourceUnavailableError("x")
    store.break_at("delete", "payload")
    with pytest.raises(BusyError, match="the queue is not available"):
        await make_gateway(store, queue).submit(submission(), may_exist=False)


@pytest.mark.looptime
async def test_short_failures_are_retried(store: Store, queue: FakeQueue) -> None:
    store.memory.fail(3)
    await make_gateway(store, queue).submit(submission(), may_exist=True)
    assert store.names() == {"id1/headers.json", "id1/payload", "id1/status/in_queue"}


@pytest.mark.looptime
async def test_a_store_that_hangs_is_an_error_in_time(
    store: Store, queue: FakeQueue, looptime: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_prefix: str, *, after: str = "", token: str = "") -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(store.memory, "list_page", hang)
    with pytest.raises(BusyError, match="the store is not available"):
        await make_gateway(store, queue).look_up("api", "id1")
    assert looptime == CALL_TIMEOUT_S


@pytest.mark.parametrize("begin", [b"some", BIG], ids=["small", "big"])
async def test_an_upload_that_breaks_leaves_nothing(store: Store, queue: FakeQueue, begin: bytes) -> None:
    body = broken_body(begin, UploadBrokenError("gone"))
    with pytest.raises(UploadBrokenError, match="gone"):
        await make_gateway(store, queue).submit(submission(body), may_exist=False)
    assert (store.objects, queue.sent) == ({}, [])


async def test_cancelled_in_mid_upload_leaves_nothing(store: Store, queue: FakeQueue) -> None:
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield BIG
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(make_gateway(store, queue).submit(submission(endless()), may_exist=False))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (store.objects, queue.sent) == ({}, [])


@pytest.mark.parametrize(("size", "announced"), [(100, None), (101, None), (101, 101), (MAX_BUFFERED_BYTES * 3, None)])
async def test_the_limit_of_payloads(store: Store, queue: FakeQueue, size: int, announced: int | None) -> None:
    limit = 100 if size < 1000 else MAX_BUFFERED_BYTES * 2
    submit = make_gateway(store, queue, limit).submit(submission(b"x" * size, size=announced), may_exist=False)
    if size <= limit:
        await submit
        assert len(queue.sent) == 1
    else:
        with pytest.raises(PayloadTooLargeError, match=f"{limit} bytes.*DEQUEUER_MAX_PAYLOAD_BYTES"):
            await submit
        assert (store.objects, queue.sent) == ({}, [])


async def test_big_payloads_wait_for_one_another(store: Store, queue: FakeQueue) -> None:
    gateway = make_gateway(store, queue)
    go_on = asyncio.Event()
    begun = 0

    async def slow() -> AsyncIterator[bytes]:
        nonlocal begun
        yield BIG
        begun += 1
        await go_on.wait()

    tasks = [
        asyncio.create_task(gateway.submit(submission(slow(), request_id=f"id{n}"), may_exist=False))
        for n in range(MAX_STREAMED_UPLOADS + 5)
    ]
    for _ in range(50):
        await asyncio.sleep(0)
    assert begun == MAX_STREAMED_UPLOADS
    await gateway.submit(submission(b"small"), may_exist=False)
    go_on.set()
    await asyncio.gather(*tasks)
    assert len(queue.sent) == MAX_STREAMED_UPLOADS + 6


@pytest.mark.looptime
async def test_a_big_payload_does_not_wait_forever(store: Store, queue: FakeQueue, looptime: float) -> None:
    gateway = make_gateway(store, queue)

    async def stuck() -> AsyncIterator[bytes]:
        yield BIG
        await asyncio.Event().wait()

    tasks = [
        asyncio.create_task(gateway.submit(submission(stuck(), request_id=f"id{n}"), may_exist=False))
        for n in range(MAX_STREAMED_UPLOADS)
    ]
    await asyncio.sleep(1)
    with pytest.raises(BusyError, match="try again"):
        await gateway.submit(submission(BIG), may_exist=False)
    assert looptime == 1 + STREAM_SLOT_TIMEOUT_S
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("request_id", ["", "../x", "a/b", "a\n", "x" * 129, "\x00", ".hidden", "é"])
async def test_bad_ids_reach_nothing(store: Store, queue: FakeQueue, request_id: str) -> None:
    gateway = make_gateway(store, queue)
    with pytest.raises(InvalidRequestError, match="request id"):
        await gateway.submit(submission(request_id=request_id), may_exist=True)
    with pytest.raises(InvalidRequestError, match="request id"):
        await gateway.look_up("api", request_id)
    assert (store.reads, store.journal) == ([], [])


@pytest.mark.parametrize("api_name", ["", "..", "a/b", "a\n", "x" * 129, "a:b"])
async def test_bad_api_names_reach_nothing(store: Store, queue: FakeQueue, api_name: str) -> None:
    gateway = make_gateway(store, queue)
    with pytest.raises(InvalidRequestError, match="API name"):
        await gateway.submit(submission(api_name=api_name), may_exist=False)
    with pytest.raises(InvalidRequestError, match="API name"):
        await gateway.look_up(api_name, "id1")
    assert (store.reads, store.journal) == ([], [])


def test_errors_are_short_and_printable() -> None:
    with pytest.raises(GatewayError) as caught:
        check_request_id("\r\n" + "x" * 100_000)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("statuses", "sent_again"),
    [
        (["in_queue"], True),
        (["in_queue", "in_progress"], False),
        (["in_queue", "in_progress", "completed"], False),
        (["in_queue", "failed"], False),
    ],
)
async def test_a_known_id_is_not_overwritten(
    store: Store, queue: FakeQueue, statuses: list[str], *, sent_again: bool
) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/{name}", b"") for name in statuses])
    store.memory.seed([(f"{PREFIX}id1/payload", b"first"), (f"{PREFIX}id1/headers.json", b"{}")])
    before = dict(store.objects)
    receipt = await make_gateway(store, queue).submit(submission(b"second"), may_exist=True)
    assert (receipt.size, receipt.existing_status) == (
        6,
        max(statuses, key=["in_queue", "in_progress", "failed", "completed"].index),
    )
    assert store.objects == before
    assert queue.sent == ([(URL, "id1")] if sent_again else [])


async def test_a_retry_completes_what_a_failed_send_began(store: Store, queue: FakeQueue) -> None:
    gateway = make_gateway(store, queue)
    queue.error = SourceUnavailableError("x")
    with pytest.raises(BusyError):
        await gateway.submit(submission(b"first"), may_exist=True)
    queue.error = None
    await gateway.submit(submission(b"first"), may_exist=True)
    assert queue.sent == [(URL, "id1")]
    assert store.objects[f"{PREFIX}id1/payload"][0] == b"first"


async def test_a_retry_stores_what_the_first_gateway_had_put_into_its_message(store: Store, queue: FakeQueue) -> None:
    queue.error = SourceUnavailableError("x")
    with pytest.raises(BusyError):
        await make_gateway(store, queue, inline_bytes=4096).submit(submission(b"first"), may_exist=True)
    assert store.names() == {"id1/status/in_queue"}
    queue.error = None
    await make_gateway(store, queue).submit(submission(b"first"), may_exist=True)
    assert queue.sent == [(URL, "id1")]
    assert store.objects[f"{PREFIX}id1/payload"][0] == b"first"
    assert f"{PREFIX}id1/headers.json" in store.objects


async def test_a_late_failure_does_not_undo_a_retry_that_worked(store: Store, queue: FakeQueue) -> None:
    gateway = make_gateway(store, queue)
    reached, break_off = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield BIG
        reached.set()
        await break_off.wait()
        raise UploadBrokenError

    first = asyncio.create_task(gateway.submit(submission(slow()), may_exist=True))
    await reached.wait()
    await gateway.submit(submission(BIG), may_exist=True)
    break_off.set()
    with pytest.raises(UploadBrokenError):
        await first
    assert store.names() == {"id1/headers.json", "id1/payload", "id1/status/in_queue"}


async def test_an_unknown_id(store: Store, queue: FakeQueue) -> None:
    store.memory.seed([(f"{PREFIX}id10/status/completed", b""), (f"{PREFIX}id1/payload", b"")])
    with pytest.raises(UnknownRequestError, match="id id1 not found"):
        await make_gateway(store, queue).look_up("api", "id1")


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["in_queue"], "in_queue"),
        (["in_queue", "in_progress"], "in_progress"),
        (["in_queue", "in_progress", "failed"], "failed"),
        (["in_queue", "in_progress", "completed"], "completed"),
        (["completed", "failed"], "completed"),
        (["in_queue", "of_the_future"], "in_queue"),
    ],
)
async def test_the_status_that_counts(store: Store, queue: FakeQueue, statuses: list[str], expected: str) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/{name}", b"") for name in statuses])
    report = await make_gateway(store, queue).look_up("api", "id1")
    assert (report.found.status, report.result) == (expected, None)
    assert (report.failure is not None) is (expected == "failed")


async def test_a_result_is_opened_not_read(store: Store, queue: FakeQueue) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/completed", b""), (f"{PREFIX}id1/result.json", b"12345678901234567890")])
    report = await make_gateway(store, queue).look_up("api", "id1")
    assert report.result is not None
    assert b"".join([chunk async for chunk in report.result.chunks]) == b"12345678901234567890"


async def test_an_empty_result_is_none(store: Store, queue: FakeQueue) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/completed", b""), (f"{PREFIX}id1/result.json", b"")])
    assert (await make_gateway(store, queue).look_up("api", "id1")).result is None


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (b"", None),
        (b'{"error": "status 500", "status_code": 500}', "status 500"),
        (b'{"error": 7}', None),
        (b'{"status_code": 500}', None),
        (b'["error"]', None),
        (b"\xff", None),
        (b"[" * MAX_FAILURE_BYTES, None),
        (json.dumps({"error": "x" * MAX_FAILURE_BYTES}).encode(), None),
    ],
)
async def test_the_reason_of_a_failure(store: Store, queue: FakeQueue, document: bytes, expected: str | None) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/failed", document)])
    failure = (await make_gateway(store, queue).look_up("api", "id1")).failure
    assert failure is not None
    assert failure.error == expected


async def test_a_failure_that_is_too_large_is_closed(store: Store, queue: FakeQueue) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/failed", b" " * (MAX_FAILURE_BYTES + 1))])
    await make_gateway(store, queue).look_up("api", "id1")
    assert store.opened == []


async def test_a_small_payload_is_put_into_the_message(store: Store, queue: FakeQueue) -> None:
    await make_gateway(store, queue, inline_bytes=7).submit(submission(b'{"a":1}'), may_exist=False)
    assert store.names() == {"id1/status/in_queue"}
    [(_, body)] = queue.sent
    envelope = decode_envelope(body)
    assert (envelope.request_id, envelope.payload, envelope.content_type) == ("id1", b'{"a":1}', "application/json")
    assert json.loads(envelope.headers) == {"A": ["b"]}
    assert not envelope.may_repeat


@pytest.mark.parametrize(("inline_bytes", "payload"), [(0, b""), (6, b'{"a":1}'), (7, BIG)])
async def test_other_payloads_are_not_put_into_the_message(
    store: Store, queue: FakeQueue, inline_bytes: int, payload: bytes
) -> None:
    gateway = make_gateway(store, queue, inline_bytes=inline_bytes)
    await gateway.submit(submission(payload), may_exist=False)
    assert "id1/payload" in store.names()
    assert [body for _, body in queue.sent] == ["id1"]


async def test_headers_that_make_the_message_too_large_are_stored(store: Store, queue: FakeQueue) -> None:
    new = replace(submission(b"x" * 131_072), headers=json.dumps({"A": ["\u20ac" * 20_000]}).encode())
    await make_gateway(store, queue, inline_bytes=131_072).submit(new, may_exist=False)
    assert {"id1/payload", "id1/headers.json"} <= set(store.names())
    assert [body for _, body in queue.sent] == ["id1"]


async def test_a_message_with_an_id_from_the_client_is_marked_as_repeatable(store: Store, queue: FakeQueue) -> None:
    gateway = make_gateway(store, queue, inline_bytes=100)
    for _ in range(2):
        await gateway.submit(submission(), may_exist=True)
    assert [decode_envelope(body).may_repeat for _, body in queue.sent] == [True, True]


@pytest.mark.parametrize("may_exist", [False, True])
async def test_an_id_from_the_client_may_be_submitted_twice(store: Store, queue: FakeQueue, may_exist: bool) -> None:
    await make_gateway(store, queue).submit(submission(), may_exist=may_exist)
    assert queue.may_repeat == [may_exist]
