"""The SDK's store only: memory of uploads, fields of writes, stores that lack features."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from zlib import crc32

import pytest

from dequeuer.clients.sdk import Aws
from dequeuer.core.errors import LeaseLostError
from dequeuer.core.events import StoreFeatureMissing
from dequeuer.settings import AwsSettings
from dequeuer.sinks.s3_sdk import upload
from dequeuer.sinks.s3_sdk.store import SdkStore
from dequeuer.sinks.s3_sdk.upload import MAX_PARTS_IN_MEMORY
from tests.fakes import Recorder, chunked
from tests.sinks.fake_s3 import Asked, FakeS3, answer, refusal, times
from tests.sinks.stores import Chain

KEY, PATH = "a/key", "/bucket/a/key"
BODY = bytes(range(256)) * 48_000  # 12 MB: three parts


@pytest.fixture
async def store(s3: FakeS3, seen: Recorder) -> AsyncIterator[SdkStore]:
    where = AwsSettings(
        region="us-east-1",
        endpoint_url=s3.url,
        s3_sse="aws:kms",
        s3_sse_kms_key_id="alias/mine",
        s3_bucket_owner="123456789012",
    )
    aws = Aws(where, Chain())
    yield aws.store("bucket", seen)
    await aws.close()


async def send(store: SdkStore, body: bytes = BODY) -> bool:
    return await store.put_stream(KEY, chunked(body, 100_000), "application/json")


def checksum(body: bytes) -> str:
    return b64encode(crc32(body).to_bytes(4, "big")).decode()


async def test_every_body_has_its_checksum_and_every_creation_its_encryption(s3: FakeS3, store: SdkStore) -> None:
    await store.put("one", b"body", "text/plain")
    await store.create("two", b"body", "text/plain")
    await send(store)
    await store.check_write("three")
    for asked in s3.asked:
        assert asked.headers["x-amz-expected-bucket-owner"] == "123456789012"
        is_creation = asked.step in ("put", "begin")
        assert asked.headers.get("x-amz-server-side-encryption") == ("aws:kms" if is_creation else None)
        key = asked.headers.get("x-amz-server-side-encryption-aws-kms-key-id")
        assert key == ("alias/mine" if is_creation else None)
        if asked.step == "put" or asked.step.startswith("part"):
            assert asked.headers["x-amz-checksum-crc32"] == checksum(asked.body)
        # Some stores do not support these.
        assert not asked.headers.keys() & {"expect", "x-amz-trailer", "content-encoding", "transfer-encoding"}
    assert s3.uploads == {}


async def test_an_existing_result_is_not_overwritten(s3: FakeS3, store: SdkStore) -> None:
    s3.before = times(9, "complete", refusal(412, "PreconditionFailed"))
    assert not await send(store)
    s3.before = times(9, "put", refusal(412, "PreconditionFailed"))
    assert not await send(store, b"small")
    await store.close()
    assert s3.uploads == {}
    assert [asked.headers.get("if-none-match") for asked in s3.asked if asked.step in ("put", "complete")] == ["*", "*"]


async def test_the_fence_is_checked_directly_before_the_object_becomes_visible(s3: FakeS3, store: SdkStore) -> None:
    def gone() -> None:
        raise LeaseLostError("lost")

    for body in (BODY, b"small"):
        with pytest.raises(LeaseLostError):
            await store.put_stream(KEY, chunked(body, 100_000), "text/plain", check=gone)
    with pytest.raises(LeaseLostError):
        await store.create(KEY, b"small", "text/plain", check=gone)
    await store.close()
    assert (s3.objects, s3.uploads) == ({}, {})
    assert "complete" not in s3.steps


async def test_a_few_parts_are_buffered_at_a_time(s3: FakeS3, store: SdkStore) -> None:
    going, begun = asyncio.Event(), 0

    async def slow() -> AsyncIterator[bytes]:
        nonlocal begun
        begun += 1
        yield b"x"
        await going.wait()

    tasks = [
        asyncio.create_task(store.put_stream(f"k{n}", slow(), "text/plain")) for n in range(MAX_PARTS_IN_MEMORY + 2)
    ]
    for _ in range(20):
        await asyncio.sleep(0)
    assert begun == MAX_PARTS_IN_MEMORY
    going.set()
    assert await asyncio.gather(*tasks) == [True] * len(tasks)


async def test_more_uploads_than_buffers_make_progress_at_the_same_time(
    s3: FakeS3, store: SdkStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PART_BYTES", 100_000)
    keys = [f"k{number}" for number in range(3 * MAX_PARTS_IN_MEMORY)]
    sending = (store.put_stream(key, chunked(BODY[:250_000], 30_000), "text/plain") for key in keys)
    assert await asyncio.gather(*sending) == [True] * len(keys)
    assert all(s3.objects[f"/bucket/{key}"] == BODY[:250_000] for key in keys)
    # Every upload had sent its first part before any was completed.
    last_first = max(at for at, step in enumerate(s3.steps) if step == "part 1")
    assert last_first < s3.steps.index("complete")


async def test_deletions_carry_the_checksum_that_older_stores_demand(s3: FakeS3, store: SdkStore) -> None:
    s3.before = times(1, "post", b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<DeleteResult/>")
    await store.delete(["a", "b"])
    [asked] = s3.asked
    assert {"content-md5", "x-amz-checksum-crc32"} <= asked.headers.keys()


async def test_a_store_that_ignores_the_algorithm_of_an_upload_may_not_know_checksums(
    s3: FakeS3, store: SdkStore, seen: Recorder
) -> None:
    s3.before = lambda asked: refusal(501, "NotImplemented") if "x-amz-checksum-crc32" in asked.headers else None
    await store.check_write("k")
    await store.put("k", b"1", "text/plain")
    assert s3.objects == {"/bucket/k": b"1"}
    assert [event.feature for event in seen.of(StoreFeatureMissing)] == ["checksums"]


async def test_a_missing_feature_of_the_store_is_detected_once_logged_once_and_worked_around(
    s3: FakeS3, store: SdkStore, seen: Recorder
) -> None:
    def old(asked: Asked) -> bytes | None:
        if "if-none-match" in asked.headers:
            return refusal(501, "NotImplemented")
        if any(name.startswith(("x-amz-checksum-crc32", "x-amz-checksum-algorithm")) for name in asked.headers):
            return refusal(400, "InvalidArgument")
        if "delete" in asked.query:
            return refusal(405, "MethodNotAllowed")
        if "list-type" in asked.query:
            keys = "".join(f"<Contents><Key>{path.removeprefix('/bucket/')}</Key></Contents>" for path in s3.objects)
            return answer(200, f"<ListBucketResult><Name>bucket</Name>{keys}</ListBucketResult>".encode())
        return answer(204) if asked.method == "DELETE" and not asked.query else None

    s3.before = old
    assert await store.create("made", b"1", "text/plain")
    assert not await store.create("made", b"2", "text/plain")
    assert await send(store)
    assert not await send(store, b"small")
    for _ in range(2):
        await store.delete(["made", "b"])
    assert s3.objects == {"/bucket/made": b"1", PATH: BODY}
    assert sorted(event.feature for event in seen.of(StoreFeatureMissing)) == [
        "bulk_deletions",
        "checksums",
        "conditional_writes",
    ]
    assert len([asked for asked in s3.asked if "if-none-match" in asked.headers]) <= 2
