"""The slim S3 client against servers of other projects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dequeuer.aws.endpoint import AwsEndpoint
from dequeuer.core.errors import StoreMissingError
from dequeuer.sinks.base import Store
from dequeuer.sinks.s3 import lifecycle_xml
from dequeuer.sinks.s3.bucket import Bucket as S3Bucket
from dequeuer.sinks.s3.download import Downloads
from dequeuer.sinks.s3.features import Features
from dequeuer.sinks.s3.store import open_slim_store
from tests.fakes import Recorder, chunked
from tests.integration.cloud import REGION, Bucket, Cloud
from tests.integration.test_bucket_rule import THEIRS
from tests.sinks.stores import slim_endpoint

WITH_CONDITIONS = pytest.mark.parametrize("cloud", ["ministack", "moto"], indirect=True)
EVERYWHERE = pytest.mark.parametrize("cloud", ["ministack", "moto", "fauxqs"], indirect=True)


@pytest.fixture
async def endpoint(cloud: Cloud) -> AsyncIterator[AwsEndpoint]:
    endpoint = slim_endpoint(cloud.url, region=REGION)
    yield endpoint
    await endpoint.close()


@pytest.fixture
async def store(endpoint: AwsEndpoint, bucket: Bucket) -> AsyncIterator[Store]:
    store = open_slim_store(endpoint=endpoint, bucket=bucket.name, path_style=True, observer=Recorder())
    yield store
    await store.close()


async def read(store: Store, key: str) -> tuple[bytes, str | None, int]:
    payload = await store.get(key)
    return b"".join([chunk async for chunk in payload.chunks]), payload.content_type, payload.size


@EVERYWHERE
@pytest.mark.parametrize("size", [0, 1, 1_000_000])
async def test_what_is_put_is_what_is_got(store: Store, bucket: Bucket, size: int) -> None:
    body = (bytes(range(256)) * 4000)[:size]
    await store.put("a/put:1", body, "text/plain; charset=x")
    assert await read(store, "a/put:1") == (body, "text/plain; charset=x", size)
    assert bucket.s3.get_object(Bucket=bucket.name, Key="a/put:1")["Body"].read() == body


@EVERYWHERE
async def test_a_stream_of_unknown_size_arrives_whole(store: Store, bucket: Bucket) -> None:
    body = bytes(range(256)) * 48_000  # 12 MB: three parts
    await store.put_stream("stream", chunked(body, 100_000), "application/json")
    assert await read(store, "stream") == (body, "application/json", len(body))
    assert bucket.s3.head_object(Bucket=bucket.name, Key="stream")["ETag"].endswith('-3"')


@EVERYWHERE
async def test_a_stream_that_fails_leaves_nothing_behind(store: Store, bucket: Bucket) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(6_000_000)
        yield bytes(6_000_000)
        raise ValueError("not JSON after all")

    with pytest.raises(ValueError, match="after all"):
        await store.put_stream("broken", broken(), "application/json")
    async with asyncio.timeout(30):  # aborted in the background
        while bucket.s3.list_multipart_uploads(Bucket=bucket.name).get("Uploads"):  # noqa: ASYNC110 - the store has no notification
            await asyncio.sleep(0.05)
    with pytest.raises(StoreMissingError):
        await store.get("broken")


@WITH_CONDITIONS
async def test_create_never_replaces(store: Store) -> None:
    assert await store.create("x", b"1", "application/json")
    assert not await store.create("x", b"2", "application/json")
    assert await read(store, "x") == (b"1", "application/json", 1)


@EVERYWHERE
async def test_list_and_delete(store: Store, cloud: Cloud) -> None:
    names = ["l/1/a", "l/1/b:c", "l/1/ä &<>'\"%+ b", "l/10/c"]
    for name in names:
        await store.put(name, b"", "text/plain")
    assert sorted(await store.list("l/1/")) == sorted(names[:3])
    await store.delete([*names[:3], "l/1/never-there"])
    await store.delete([names[3]])
    await store.delete(["l/never-there"])
    assert await store.list("l/") == []


async def test_a_page_of_a_thousand_keys(store: Store, bucket: Bucket) -> None:
    keys = [f"{'long/' * 100}{number:04}" for number in range(1005)]
    for key in keys:
        await store.put(key, b"", "text/plain")
    assert await store.list("long/") == keys[:1000]
    await store.delete(keys)
    assert await store.list("long/") == []


@EVERYWHERE
async def test_a_download_can_be_resumed_in_the_middle(endpoint: AwsEndpoint, store: Store, bucket: Bucket) -> None:
    body = bytes(range(256)) * 4000
    await store.put("big", body, "text/plain")
    e_tag = bucket.s3.head_object(Bucket=bucket.name, Key="big")["ETag"]
    downloads = Downloads(
        S3Bucket(endpoint, bucket.name, path_style=True), Features(lambda _event: None), lambda *_: None
    )
    rest = await downloads._reopen("big", 1000, len(body), e_tag)
    assert b"".join([chunk async for chunk in rest.chunks(30)]) == body[1000:]
    with pytest.raises(StoreMissingError, match="replaced"):
        await downloads._reopen("big", 1000, len(body), '"another"')


async def ensure(endpoint: AwsEndpoint, bucket: Bucket, days: int = 7) -> str:
    return await lifecycle_xml.ensure_expiry(
        endpoint, bucket=bucket.name, path_style=True, prefix="uid/<&>/", days=days
    )


async def test_the_expiry_rule_is_added_to_those_of_others(endpoint: AwsEndpoint, bucket: Bucket) -> None:
    def rules() -> Any:
        return bucket.s3.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]

    ours = {
        "ID": "async-workloads-expiry-policy",
        "Status": "Enabled",
        "Filter": {"Prefix": "uid/<&>/"},
        "Expiration": {"Days": 7},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    assert await ensure(endpoint, bucket) == "written"
    assert rules() == [ours]
    bucket.s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": [ours, THEIRS]})
    assert await ensure(endpoint, bucket) == "unchanged"
    assert await ensure(endpoint, bucket, days=30) == "written"
    longer = {"Expiration": {"Days": 30}, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}
    assert rules() == [THEIRS, ours | longer]
