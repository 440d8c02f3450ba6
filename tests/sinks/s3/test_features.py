"""Stores that lack a feature (scripted refusals), and the fields of every write to a store that has all."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from zlib import crc32

import pytest

from dequeuer.core.errors import StoreDeniedError
from dequeuer.core.events import StoreFeatureMissing
from dequeuer.sinks.protection import ObjectProtection
from dequeuer.sinks.s3.store import SlimStore, open_slim_store
from tests.fakes import Recorder, chunked
from tests.sinks.fake_s3 import Asked, FakeS3, answer, refusal
from tests.sinks.stores import slim_endpoint

BODY = bytes(range(256)) * 48_000  # 12 MB: three parts
UNKNOWN = [refusal(501, "NotImplemented"), refusal(400, "NotImplemented"), refusal(501, "")]


@pytest.fixture
async def store(s3: FakeS3, seen: Recorder) -> AsyncIterator[SlimStore]:
    store = open_slim_store(
        endpoint=slim_endpoint(s3.url),
        bucket="bucket",
        path_style=True,
        observer=seen,
        protection=ObjectProtection(sse="aws:kms", sse_kms_key_id="alias/k", bucket_owner="012345678901"),
    )
    yield store
    await store.close()


def lacking(seen: Recorder) -> list[str]:
    return [event.feature for event in seen.of(StoreFeatureMissing)]


def without(field: str, response: bytes) -> Callable[[Asked], bytes | None]:
    return lambda asked: response if field in asked.headers else listing(asked)


def an_object(asked: Asked) -> bytes | None:
    """The content of every key."""
    if asked.method != "GET":
        return None
    return answer(200, b"payload", Last_Modified="Tue, 14 Nov 2023 22:13:20 GMT", ETag='"feed"')


def listing(asked: Asked) -> bytes | None:
    return answer(200, b"<ListBucketResult/>") if "list-type" in asked.query else None


def holding(key: str) -> bytes:
    return answer(200, f"<ListBucketResult><Contents><Key>{key}</Key></Contents></ListBucketResult>".encode())


async def test_creations_have_the_encryption_headers_and_all_requests_the_owner_header(
    s3: FakeS3, store: SlimStore
) -> None:
    faults = {"delete": answer(204), "post": answer(200, b"<DeleteResult/>")}
    s3.before = lambda asked: faults.get(asked.step) or listing(asked)
    await store.put("put", b"x", "text/plain")
    await store.create("create", b"x", "text/plain")
    await store.put_stream("large", chunked(BODY, 100_000), "text/plain", size=len(BODY))
    await store.list("")
    await store.delete(["put"])
    await store.delete(["put", "create"])
    assert {asked.headers.get("x-amz-expected-bucket-owner") for asked in s3.asked} == {"012345678901"}
    encrypted = [asked for asked in s3.asked if "x-amz-server-side-encryption" in asked.headers]
    assert [asked.step for asked in encrypted] == ["put", "put", "begin"]
    assert {asked.headers["x-amz-server-side-encryption-aws-kms-key-id"] for asked in encrypted} == {"alias/k"}


async def test_every_put_and_part_carries_its_checksum(s3: FakeS3, store: SlimStore) -> None:
    await store.put("put", b"x", "text/plain")
    await store.put_stream("large", chunked(BODY, 100_000), "text/plain", size=len(BODY))
    bodies = [asked for asked in s3.asked if asked.method == "PUT"]
    assert len(bodies) == 4
    for asked in bodies:
        assert asked.headers["x-amz-checksum-crc32"] == b64encode(crc32(asked.body).to_bytes(4, "big")).decode()
    (begin,) = [asked for asked in s3.asked if asked.step == "begin"]
    assert begin.headers["x-amz-checksum-algorithm"] == "CRC32"
    (complete,) = [asked for asked in s3.asked if asked.step == "complete"]
    assert complete.body.count(b"<ChecksumCRC32>") == 3
    assert complete.headers["if-none-match"] == "*"


@pytest.mark.parametrize("response", UNKNOWN)
async def test_without_conditional_writes_the_object_is_checked_first(
    s3: FakeS3, store: SlimStore, seen: Recorder, response: bytes
) -> None:
    s3.before = without("if-none-match", response)
    assert await store.create("one", b"1", "text/plain")
    assert s3.objects["/bucket/one"] == b"1"
    s3.asked.clear()
    assert await store.create("two", b"2", "text/plain")
    assert s3.steps == ["get", "put"]  # the missing feature is not tried again
    s3.before = lambda asked: holding("three") if "list-type" in asked.query else None
    assert not await store.create("three", b"3", "text/plain")
    assert "/bucket/three" not in s3.objects
    assert lacking(seen) == ["conditional_writes"]


async def test_without_conditional_completion_the_object_is_checked_first(
    s3: FakeS3, store: SlimStore, seen: Recorder
) -> None:
    s3.before = without("if-none-match", refusal(501, "NotImplemented"))
    assert await store.put_stream("large", chunked(BODY, 100_000), "text/plain")
    assert s3.objects["/bucket/large"] == BODY
    s3.before = lambda asked: holding("other") if "list-type" in asked.query else None
    s3.objects["/bucket/other"], s3.e_tags["/bucket/other"] = b"first", "feed"
    assert not await store.put_stream("other", chunked(BODY, 100_000), "text/plain")
    await store.close()
    assert s3.objects["/bucket/other"] == b"first"
    assert s3.uploads == {}
    assert lacking(seen) == ["conditional_writes"]


async def test_the_first_result_is_kept(s3: FakeS3, store: SlimStore) -> None:
    s3.before = lambda asked: refusal(412, "PreconditionFailed") if asked.step == "complete" else None
    s3.objects["/bucket/k"], s3.e_tags["/bucket/k"] = b"first", "feed"
    assert not await store.put_stream("k", chunked(BODY, 100_000), "text/plain")
    await store.close()
    assert s3.objects["/bucket/k"] == b"first"
    assert s3.steps[-1] == "abort"


@pytest.mark.parametrize("response", [*UNKNOWN, refusal(400, "InvalidRequest"), refusal(400, "InvalidArgument")])
async def test_a_store_that_knows_no_checksums_gets_none(
    s3: FakeS3, store: SlimStore, seen: Recorder, response: bytes
) -> None:
    fields = {"x-amz-checksum-crc32", "x-amz-checksum-algorithm"}
    s3.before = lambda asked: response if fields & set(asked.headers) else None
    await store.put("one", b"1", "text/plain")
    await store.put("two", b"2", "text/plain")
    assert s3.steps == ["put", "put", "put"]
    await store.put_stream("large", chunked(BODY, 100_000), "text/plain")
    assert s3.objects["/bucket/large"] == BODY
    assert lacking(seen) == ["checksums"]


@pytest.mark.parametrize("response", [*UNKNOWN, refusal(400, "InvalidRequest"), refusal(400, "InvalidArgument")])
async def test_a_store_that_refuses_checksum_mode_is_read_without_it(
    s3: FakeS3, store: SlimStore, seen: Recorder, response: bytes
) -> None:
    s3.before = lambda asked: response if "x-amz-checksum-mode" in asked.headers else an_object(asked)
    for _ in range(2):
        payload = await store.get("k")
        assert b"".join([chunk async for chunk in payload.chunks]) == b"payload"
    assert s3.steps == ["get", "get", "get"]
    assert lacking(seen) == ["checksums_on_reading"]
    await store.put("one", b"1", "text/plain")
    assert "x-amz-checksum-crc32" in s3.asked[-1].headers  # writes keep their checksum


async def test_a_store_known_to_know_no_checksums_is_not_asked_for_them(s3: FakeS3, store: SlimStore) -> None:
    response = refusal(501, "NotImplemented")
    s3.before = lambda asked: response if "x-amz-checksum-crc32" in asked.headers else an_object(asked)
    await store.put("one", b"1", "text/plain")
    await store.get("one")
    assert "x-amz-checksum-mode" not in s3.asked[-1].headers


async def test_a_read_that_is_refused_for_another_cause_is_reported(
    s3: FakeS3, store: SlimStore, seen: Recorder
) -> None:
    s3.before = lambda _asked: refusal(400, "KMS.DisabledException")
    with pytest.raises(StoreDeniedError, match="Disabled"):
        await store.get("k")
    assert s3.steps == ["get"]
    assert lacking(seen) == []


async def test_a_refusal_that_has_another_cause_is_no_lack(s3: FakeS3, store: SlimStore, seen: Recorder) -> None:
    s3.before = lambda _asked: refusal(400, "InvalidArgument")
    with pytest.raises(StoreDeniedError, match="InvalidArgument"):
        await store.put("one", b"1", "text/plain")
    assert lacking(seen) == []


@pytest.mark.parametrize("response", [*UNKNOWN, refusal(405, "MethodNotAllowed"), refusal(400, "MissingContentMD5")])
async def test_without_bulk_deletions_objects_are_deleted_one_by_one(
    s3: FakeS3, store: SlimStore, seen: Recorder, response: bytes
) -> None:
    s3.before = lambda asked: response if "delete" in asked.query else answer(204)
    keys = [f"k{number}" for number in range(20)]
    for _ in range(2):
        s3.asked.clear()
        await store.delete(keys)
        assert sorted(asked.path for asked in s3.asked if asked.method == "DELETE") == sorted(
            f"/bucket/{key}" for key in keys
        )
    assert "post" not in s3.steps
    assert lacking(seen) == ["bulk_deletions"]


async def test_all_single_deletions_are_tried_and_a_refusal_is_reported(s3: FakeS3, store: SlimStore) -> None:
    def response(asked: Asked) -> bytes:
        if "delete" in asked.query:
            return refusal(501, "NotImplemented")
        return refusal(403, "AccessDenied") if asked.path == "/bucket/k0" else answer(204)

    s3.before = response
    with pytest.raises(StoreDeniedError):
        await store.delete([f"k{number}" for number in range(20)])
    assert s3.steps.count("delete") == 20
