"""Uploads in parts: what both clients of S3 have in common."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.core.events import StoreCalled
from dequeuer.sinks.s3.multipart import PART_BYTES
from dequeuer.sinks.s3.retry import UPLOAD_RETRIES
from tests.fakes import Recorder, chunked
from tests.sinks.fake_s3 import FakeS3, answer, refusal, times
from tests.sinks.stores import CLIENTS, ClosableStore, connecting

KEY, PATH = "a/key", "/bucket/a/key"
BODY = bytes(range(256)) * 48_000  # 12 MB: three parts


@pytest.fixture(params=CLIENTS)
async def store(request: pytest.FixtureRequest, s3: FakeS3, seen: Recorder) -> AsyncIterator[ClosableStore]:
    async with connecting(request.param) as connect:
        yield connect(s3.url, seen)


async def send(store: ClosableStore, body: bytes = BODY) -> bool:
    return await store.put_stream(KEY, chunked(body, 100_000), "application/json")


def outcomes(seen: Recorder) -> list[tuple[str, str | None, str, str]]:
    return [(event.op, event.error, event.code, event.key) for event in seen.of(StoreCalled)]


@pytest.mark.parametrize("size", [0, 1, PART_BYTES])
async def test_a_body_of_one_part_is_one_request(s3: FakeS3, store: ClosableStore, seen: Recorder, size: int) -> None:
    assert await send(store, BODY[:size])
    assert s3.steps == ["put"]
    assert s3.objects[PATH] == BODY[:size]
    assert s3.asked[0].headers["content-type"] == "application/json"
    assert outcomes(seen) == [("put", None, "", KEY)]


@pytest.mark.parametrize("size", [PART_BYTES + 1, 2 * PART_BYTES, 2 * PART_BYTES + 1, len(BODY)])
async def test_a_larger_body_is_cut_into_parts_of_one_size(
    s3: FakeS3, store: ClosableStore, seen: Recorder, size: int
) -> None:
    assert await send(store, BODY[:size])
    assert s3.objects[PATH] == BODY[:size]
    assert (s3.steps[0], s3.steps[-1]) == ("begin", "complete")
    # The slim client sends several at the same time: they arrive in any order.
    parts = sorted((asked for asked in s3.asked if asked.step.startswith("part")), key=lambda asked: asked.step)
    sizes = [len(asked.body) for asked in parts]
    assert sizes[:-1] == [PART_BYTES] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= PART_BYTES
    assert s3.asked[0].headers["content-type"] == "application/json"
    assert s3.uploads == {}
    assert outcomes(seen) == [("put", None, "", KEY)]


@pytest.mark.parametrize("step", ["begin", "part 2", "complete"])
@pytest.mark.parametrize(
    "response",
    [refusal(503, "SlowDown"), refusal(500, "InternalError"), b"", answer(200, b"<Error><Code>InternalError</Code>")],
    ids=["slow down", "internal", "broken", "no result in it"],
)
async def test_every_request_is_retried(s3: FakeS3, store: ClosableStore, step: str, response: bytes) -> None:
    s3.before = times(3, step, response)
    assert await send(store)
    assert s3.objects[PATH] == BODY
    assert s3.steps.count(step) == 4
    assert s3.uploads == {}


@pytest.mark.parametrize(
    "code",
    ["BadDigest", "IncompleteBody", "RequestTimeout", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"],
)
async def test_a_part_that_was_damaged_in_transit_is_sent_again(s3: FakeS3, store: ClosableStore, code: str) -> None:
    s3.before = times(2, "part 2", refusal(400, code))
    assert await send(store)
    assert s3.objects[PATH] == BODY


async def test_a_400_without_a_code_may_come_from_a_proxy(s3: FakeS3, store: ClosableStore) -> None:
    s3.before = times(2, "part 2", answer(400))
    assert await send(store)
    assert s3.objects[PATH] == BODY


async def test_an_error_after_status_200_is_a_failure(s3: FakeS3, store: ClosableStore, seen: Recorder) -> None:
    s3.before = times(99, "complete", refusal(200, "InternalError"))
    with pytest.raises(StoreUnavailableError, match="InternalError"):
        await send(store)
    await store.close()
    assert s3.steps.count("complete") == UPLOAD_RETRIES.max_attempts
    assert s3.steps[-1] == "abort"
    assert (s3.objects, s3.uploads) == ({}, {})
    assert outcomes(seen) == [("put", "unavailable", "", KEY)]
    assert "secret" not in seen.of(StoreCalled)[0].detail


@pytest.mark.parametrize("step", ["begin", "part 1", "part 2", "complete"])
async def test_a_denied_request_is_not_retried(s3: FakeS3, store: ClosableStore, seen: Recorder, step: str) -> None:
    s3.before = times(99, step, refusal(403, "AccessDenied"))
    with pytest.raises(StoreDeniedError):
        await send(store)
    await store.close()
    assert s3.steps.count(step) == 1
    assert s3.uploads == {}
    assert outcomes(seen) == [("put", "denied", "AccessDenied", KEY)]


@pytest.mark.parametrize("status", [400, 200])
async def test_a_part_that_s3_has_lost_makes_the_store_unavailable(
    s3: FakeS3, store: ClosableStore, status: int
) -> None:
    s3.before = times(99, "complete", refusal(status, "InvalidPart"))
    with pytest.raises(StoreUnavailableError, match="InvalidPart"):
        await send(store)
    await store.close()
    assert s3.steps.count("complete") == 1
    assert (s3.objects, s3.uploads) == ({}, {})


@pytest.mark.parametrize("step", ["part 1", "part 3", "complete"])
async def test_cancelling_aborts_the_upload_and_does_not_wait_for_it(
    s3: FakeS3, store: ClosableStore, step: str
) -> None:
    s3.stall_at = step
    async with asyncio.timeout(60):
        task = asyncio.create_task(send(store))
        await s3.stalled.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert "abort" not in s3.steps
        await store.close()
    assert s3.uploads == {}
    assert s3.steps[-1] == "abort"
