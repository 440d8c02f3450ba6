"""Uploads without a free buffer: their parts are streamed to S3 while they are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dequeuer.core.errors import LeaseLostError, StoreUnavailableError
from dequeuer.core.events import StoreFeatureMissing
from dequeuer.sinks.s3 import multipart as s3_multipart
from dequeuer.sinks.s3 import upload as s3_upload
from dequeuer.sinks.s3.multipart import PART_BYTES
from dequeuer.sinks.s3.store import SlimStore, open_slim_store
from tests.fakes import Recorder, chunked
from tests.sinks.fake_s3 import FakeS3, refusal
from tests.sinks.stores import slim_endpoint

KEY, PATH = "a/key", "/bucket/a/key"
BODY = bytes(range(256)) * 48_000  # 12 MB: three parts
CODED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_multipart, "BUFFER_TIMEOUT_S", 0.01)


@pytest.fixture
async def store(s3: FakeS3, seen: Recorder) -> AsyncIterator[SlimStore]:
    store = open_slim_store(
        endpoint=slim_endpoint(s3.url), bucket="bucket", path_style=True, observer=seen, buffer_bytes=0
    )
    yield store
    await store.close()


async def send(store: SlimStore, body: bytes = BODY, key: str = KEY) -> bool:
    return await store.put_stream(key, chunked(body, 100_000), "application/json", size=len(body))


@pytest.mark.parametrize("size", [1, 65_536, 65_537, PART_BYTES, PART_BYTES + 1, len(BODY)])
async def test_parts_are_passed_through_with_their_checksum_behind_them(
    s3: FakeS3, store: SlimStore, seen: Recorder, size: int
) -> None:
    assert await send(store, BODY[:size])
    assert s3.objects[PATH] == BODY[:size]
    parts = [asked for asked in s3.asked if asked.step.startswith("part")]
    assert parts[0].body == b"probe"
    assert {asked.headers["x-amz-content-sha256"] for asked in parts} == {CODED}
    assert [asked.headers["x-amz-decoded-content-length"] for asked in parts] == [str(len(a.body)) for a in parts]
    assert s3.uploads == {}
    await send(store, BODY[:size], "b/key")
    assert sum(asked.body == b"probe" for asked in s3.asked) == 1
    assert seen.of(StoreFeatureMissing) == []


async def test_any_number_of_uploads_can_run_at_the_same_time(s3: FakeS3, store: SlimStore) -> None:
    midway = asyncio.Barrier(20)

    async def body() -> AsyncIterator[bytes]:
        yield BODY[:100_000]
        async with asyncio.timeout(60):
            await midway.wait()  # none continues before all are here
        yield BODY[100_000:200_000]

    keys = [f"side/{number}" for number in range(20)]
    await asyncio.gather(*(store.put_stream(key, body(), "text/plain", size=200_000) for key in keys))
    assert all(s3.objects[f"/bucket/{key}"] == BODY[:200_000] for key in keys)


async def test_a_slow_response_to_a_part_does_not_delay_the_container(s3: FakeS3, store: SlimStore) -> None:
    await send(store, BODY[:10], key="proves")
    s3.stall_at = "part 1"
    read_whole = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        async for chunk in chunked(BODY, 100_000):
            yield chunk
        read_whole.set()

    sending = asyncio.create_task(store.put_stream(KEY, body(), "text/plain", size=len(BODY)))
    async with asyncio.timeout(60):
        await read_whole.wait()
        await s3.stalled.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_parts_without_an_answer_are_bounded(
    s3: FakeS3, store: SlimStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_upload, "MAX_UNANSWERED_PARTS", 1)
    assert await send(store)
    assert s3.objects[PATH] == BODY
    assert s3.steps == ["begin", "part 1", "part 1", "part 2", "part 3", "complete"]


async def test_parts_of_a_body_of_unknown_size_are_buffered_in_turn(s3: FakeS3, store: SlimStore) -> None:
    bodies = [store.put_stream(f"k{number}", chunked(BODY, 100_000), "text/plain") for number in range(3)]
    assert await asyncio.gather(*bodies) == [True] * 3
    assert all(s3.objects[f"/bucket/k{number}"] == BODY for number in range(3))


async def test_a_body_that_fails_breaks_the_part_off_and_the_upload_is_aborted(s3: FakeS3, store: SlimStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield BODY[: PART_BYTES + 100_000]
        raise ValueError("not JSON after all")

    with pytest.raises(ValueError, match="after all"):
        await store.put_stream(KEY, broken(), "text/plain", size=len(BODY))
    await store.close()
    assert s3.objects == {}
    assert s3.uploads == {}
    assert "complete" not in s3.steps


@pytest.mark.parametrize("size", [PART_BYTES - 1, PART_BYTES + 1])
async def test_a_size_that_is_not_true_is_no_object(s3: FakeS3, store: SlimStore, size: int) -> None:
    with pytest.raises(StoreUnavailableError, match="than its announced length"):
        await store.put_stream(KEY, chunked(BODY[:PART_BYTES], 100_000), "text/plain", size=size)
    await store.close()
    assert s3.objects == {}


async def test_a_part_that_is_refused_ends_the_upload(s3: FakeS3, store: SlimStore) -> None:
    s3.before = lambda asked: refusal(503, "SlowDown") if asked.step == "part 2" else None
    with pytest.raises(StoreUnavailableError, match="503 SlowDown"):
        await send(store)
    await store.close()
    assert s3.steps.count("part 2") == 1  # its content cannot be read again
    assert s3.steps[-1] == "abort"


async def test_a_store_that_takes_the_framing_for_content_is_found_out_once(
    s3: FakeS3, store: SlimStore, seen: Recorder
) -> None:
    s3.knows_trailers = False
    for key in ("one", "two"):
        assert await send(store, key=key)
        assert s3.objects[f"/bucket/{key}"] == BODY
    assert [event.feature for event in seen.of(StoreFeatureMissing)] == ["streamed_checksums"]
    assert [asked.headers["x-amz-content-sha256"] for asked in s3.asked if asked.step.startswith("part")] == [
        CODED,
        *["UNSIGNED-PAYLOAD"] * 6,
    ]


async def test_a_store_that_refuses_them_is_found_out_once(s3: FakeS3, store: SlimStore, seen: Recorder) -> None:
    s3.before = lambda asked: (
        refusal(501, "NotImplemented") if asked.headers.get("content-encoding") == "aws-chunked" else None
    )
    assert await send(store)
    assert s3.objects[PATH] == BODY
    assert [event.feature for event in seen.of(StoreFeatureMissing)] == ["streamed_checksums"]


@pytest.mark.parametrize(("status", "code"), [(400, "RequestTimeout"), (403, "RequestThrottled")])
async def test_a_throttled_or_timed_out_feature_probe_proves_nothing(
    s3: FakeS3, store: SlimStore, seen: Recorder, status: int, code: str
) -> None:
    left = [refusal(status, code), refusal(status, code)]
    s3.before = lambda asked: left.pop() if left and asked.step == "part 1" else None
    assert await send(store)
    assert s3.objects[PATH] == BODY
    assert seen.of(StoreFeatureMissing) == []


async def test_a_result_that_was_changed_in_transit_is_not_stored(s3: FakeS3, store: SlimStore) -> None:
    await send(store, key="proves")
    s3.knows_trailers = False  # the stored bytes have another checksum than those that were sent
    with pytest.raises(StoreUnavailableError, match="other bytes"):
        await send(store)
    await store.close()
    assert PATH not in s3.objects


async def test_the_check_comes_between_the_last_part_and_the_completion(s3: FakeS3, store: SlimStore) -> None:
    def lost() -> None:
        if "part 3" in s3.steps:
            raise LeaseLostError("the lease is lost")

    with pytest.raises(LeaseLostError):
        await store.put_stream(KEY, chunked(BODY, 100_000), "text/plain", size=len(BODY), check=lost)
    await store.close()
    assert s3.objects == {}
    assert s3.steps[-1] == "abort"


@pytest.mark.parametrize("step", ["begin", "part 2", "complete"])
async def test_an_upload_that_was_aborted_is_not_a_missing_payload(s3: FakeS3, store: SlimStore, step: str) -> None:
    s3.before = lambda asked: refusal(404, "NoSuchUpload") if asked.step == step else None
    with pytest.raises(StoreUnavailableError):
        await send(store)
