"""Objects are compared with the checksum that the store sends."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha1, sha256
from zlib import crc32

import pytest

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.sinks.s3.download import MAX_BUFFERED_OBJECT_BYTES
from dequeuer.sinks.s3.store import SlimStore, open_slim_store
from tests.fakes import Recorder
from tests.sinks.fake_s3 import FakeS3, answer
from tests.sinks.stores import slim_endpoint

SMALL, LARGE = b"small" * 10, bytes(range(256)) * (MAX_BUFFERED_OBJECT_BYTES // 64)


@pytest.fixture
async def store(s3: FakeS3) -> AsyncIterator[SlimStore]:
    store = open_slim_store(endpoint=slim_endpoint(s3.url), bucket="bucket", path_style=True, observer=Recorder())
    yield store
    await store.close()


def checksum_headers(body: bytes) -> dict[str, str]:
    digests = {
        "crc32": crc32(body).to_bytes(4, "big"),
        "sha1": sha1(body).digest(),  # noqa: S324 - one of those that S3 has
        "sha256": sha256(body).digest(),
    }
    return {f"x-amz-checksum-{name}": b64encode(digest).decode() for name, digest in digests.items()}


async def read(store: SlimStore) -> tuple[bytes, StoreUnavailableError | None]:
    got = b""
    try:
        async for chunk in (await store.get("k")).chunks:
            got += chunk
    except StoreUnavailableError as error:
        return got, error
    return got, None


@pytest.mark.parametrize("body", [SMALL, LARGE])
@pytest.mark.parametrize("name", ["crc32", "sha1", "sha256"])
async def test_a_body_with_a_wrong_checksum_never_arrives_completely(
    s3: FakeS3, store: SlimStore, body: bytes, name: str
) -> None:
    field = f"x-amz-checksum-{name}"
    s3.before = lambda _asked: answer(200, body, **{field: checksum_headers(body)[field]})
    assert await read(store) == (body, None)
    assert s3.asked[0].headers["x-amz-checksum-mode"] == "ENABLED"
    s3.before = lambda _asked: answer(200, body[:-1] + b"!", **{field: checksum_headers(body)[field]})
    got, error = await read(store)
    assert len(got) < len(body)  # the container gets an aborted request, never a whole one
    assert error is not None
    assert name in str(error)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-type": "COMPOSITE"},
        {"x-amz-checksum-crc32": "AAAAAA==-3"},
        {"x-amz-checksum-crc32c": "AAAAAA==", "x-amz-checksum-crc64nvme": "AAAAAAAAAAA="},
    ],
)
async def test_a_body_without_a_usable_checksum_is_accepted(
    s3: FakeS3, store: SlimStore, fields: dict[str, str]
) -> None:
    s3.before = lambda _asked: answer(200, LARGE, **fields)
    assert await read(store) == (LARGE, None)


@pytest.mark.parametrize("is_right", [True, False])
async def test_a_download_that_was_resumed_is_compared_as_a_whole(s3: FakeS3, store: SlimStore, is_right: bool) -> None:
    half = len(LARGE) // 2
    second = LARGE[half:] if is_right else b"!" + LARGE[half + 1 :]

    def response(asked: object) -> bytes:
        if len(s3.asked) > 1:
            given = f"bytes {half}-{len(LARGE) - 1}/{len(LARGE)}"
            return answer(206, second, Content_Range=given, ETag='"e"')
        whole = answer(200, LARGE, ETag='"e"', **checksum_headers(LARGE))
        return whole[: len(whole) - len(LARGE) + half]

    s3.before = response
    s3.cut_after = 1
    got, error = await read(store)
    assert (got == LARGE, error is None) == (is_right, is_right)
