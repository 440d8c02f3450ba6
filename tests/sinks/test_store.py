"""Both clients against an S3 in this process, and against a server with raw responses."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from dequeuer.core.errors import (
    LeaseLostError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnavailableError,
)
from dequeuer.core.events import StoreCalled
from dequeuer.sinks.base import Store
from tests.fakes import Recorder, chunked
from tests.sinks.fake_s3 import fields_of
from tests.sinks.raw import answer, server
from tests.sinks.stores import Chain, Connect, boto


async def read(store: Store, key: str) -> tuple[bytes, str | None, int]:
    payload = await store.get(key)
    return b"".join([chunk async for chunk in payload.chunks]), payload.content_type, payload.size


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
async def test_what_is_put_is_what_is_got(endpoint: str, size: int, connect: Connect) -> None:
    store = connect(endpoint)
    body = bytes(range(256)) * (size // 256 + 1)
    await store.put("put/a:b..c", body[:size], "text/plain; charset=x")
    assert await read(store, "put/a:b..c") == (body[:size], "text/plain; charset=x", size)


async def test_a_stream_of_unknown_size_arrives_whole(endpoint: str, connect: Connect) -> None:
    store = connect(endpoint)
    body = bytes(range(256)) * 48_000  # 12 MB: three parts
    await store.put_stream("stream/whole", chunked(body, 100_000), "application/json")
    assert await read(store, "stream/whole") == (body, "application/json", len(body))


async def test_a_stream_that_fails_leaves_nothing_behind(endpoint: str, connect: Connect) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(6_000_000)
        raise ValueError("not JSON after all")

    with pytest.raises(ValueError, match="after all"):
        await connect(endpoint).put_stream("stream/broken", broken(), "application/json")
    client = boto(endpoint)
    async with asyncio.timeout(30):
        while "Uploads" in client.list_multipart_uploads(Bucket="bucket"):  # noqa: ASYNC110 - the store has no notification
            await asyncio.sleep(0.01)
    assert "Contents" not in client.list_objects_v2(Bucket="bucket", Prefix="stream/broken")


async def test_a_stream_that_is_cancelled_leaves_nothing_behind(endpoint: str, connect: Connect) -> None:
    begun = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield bytes(6_000_000)
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(connect(endpoint).put_stream("stream/cancelled", stalling(), "application/json"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    client = boto(endpoint)
    async with asyncio.timeout(30):
        while "Uploads" in client.list_multipart_uploads(Bucket="bucket"):  # noqa: ASYNC110 - the store has no notification
            await asyncio.sleep(0.01)
    assert "Contents" not in client.list_objects_v2(Bucket="bucket", Prefix="stream/cancelled")


async def test_create_never_replaces(endpoint: str, connect: Connect) -> None:
    store = connect(endpoint)
    await store.delete(["create/x"])
    assert await store.create("create/x", b"1", "application/json")
    assert not await store.create("create/x", b"2", "application/json")
    assert await read(store, "create/x") == (b"1", "application/json", 1)


async def test_when_the_check_raises_nothing_is_written(endpoint: str, connect: Connect) -> None:
    def lost() -> None:
        raise LeaseLostError("lost by the test")

    store = connect(endpoint)
    with pytest.raises(LeaseLostError):
        await store.put("check/put", b"1", "text/plain", check=lost)
    with pytest.raises(LeaseLostError):
        await store.create("check/created", b"1", "text/plain", check=lost)
    assert await store.list("check/") == []


async def test_list_and_delete(endpoint: str, connect: Connect) -> None:
    store = connect(endpoint)
    for name in ("list/1/a", "list/1/b", "list/10/c"):
        await store.put(name, b"", "text/plain")
    assert sorted(await store.list("list/1/")) == ["list/1/a", "list/1/b"]
    await store.delete(["list/1/a", "list/1/b", "list/1/never-there"])
    await store.delete(["list/10/c"])
    assert await store.list("list/") == []


async def test_the_default_type_of_s3_counts_as_no_type(endpoint: str, connect: Connect) -> None:
    boto(endpoint).put_object(Bucket="bucket", Key="untyped", Body=b"x")
    assert await read(connect(endpoint), "untyped") == (b"x", None, 1)


async def test_missing_objects_and_missing_buckets_are_different_errors(endpoint: str, connect: Connect) -> None:
    seen = Recorder()
    with pytest.raises(StoreMissingError):
        await connect(endpoint, seen).get("nowhere")
    with pytest.raises(StoreDeniedError, match="DEQUEUER_BUCKET"):
        await connect(endpoint, seen, bucket="no-such-bucket").put("x", b"", "text/plain")
    assert [(event.op, event.error) for event in seen.of(StoreCalled)] == [("get", "missing"), ("put", "denied")]


async def test_listing_a_bucket_that_is_not_there(endpoint: str, connect: Connect) -> None:
    with pytest.raises(StoreDeniedError, match="DEQUEUER_BUCKET"):
        await connect(endpoint, bucket="no-such-bucket").list("x/")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (answer(503, b"<Error><Code>SlowDown</Code></Error>"), StoreUnavailableError),
        (answer(500), StoreUnavailableError),
        (answer(429), StoreUnavailableError),
        (answer(400, b"<Error><Code>RequestTimeout</Code></Error>"), StoreUnavailableError),
        (answer(403, b"<Error><Code>AccessDenied</Code></Error>"), StoreDeniedError),
        (answer(401), StoreDeniedError),
        (b"", StoreUnavailableError),
    ],
)
async def test_errors_are_named_for_what_to_do_next(raw: bytes, expected: type[Exception], connect: Connect) -> None:
    async with server(raw) as (url, heads):
        with pytest.raises(expected):
            await connect(url).list("x/")
        heads.clear()
        with pytest.raises(expected) as caught:
            await connect(url).put("x", b"1", "text/plain")
        # A call makes one attempt: the caller, which holds the lease, retries.
        # Only the SDK's HTTP library resends an idempotent request whose connection was closed without a response.
        assert len(heads) == 1 or (raw == b"" and len(heads) == 2)
        assert len(str(caught.value)) <= 256


DATES = {"Last_Modified": "Tue, 14 Nov 2023 22:13:20 GMT", "ETag": '"tag"'}


async def test_a_download_that_breaks_is_resumed_where_it_broke(connect: Connect) -> None:
    whole = bytes(range(256)) * 2000
    starts: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = fields_of(await reader.readuntil(b"\r\n\r\n"))
        if "range" not in asked:
            raw = answer(200, whole, **DATES)[:-200_000]
        elif not starts:
            starts.append(0)
            raw = answer(503)
        else:
            assert asked["if-match"] == '"tag"'
            start = int(asked["range"].removeprefix("bytes=").split("-")[0])
            starts.append(start)
            raw = answer(206, whole[start:], Content_Range=f"bytes {start}-{len(whole) - 1}/{len(whole)}", **DATES)
            raw = raw[:-100_000] if len(starts) == 2 else raw
        writer.write(raw)
        await writer.drain()
        writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with running:
        port = running.sockets[0].getsockname()[1]
        body, _, size = await read(connect(f"http://127.0.0.1:{port}"), "x")
    assert (body == whole, size) == (True, len(whole))
    assert len(starts) == 3
    assert 0 < starts[1] < starts[2]


async def test_a_download_whose_object_was_replaced_meanwhile_is_not_spliced(connect: Connect) -> None:
    async with server(answer(200, bytes(1000), **DATES)[:-500], answer(412)) as (url, _):
        with pytest.raises(StoreMissingError, match="replaced"):
            await read(connect(url), "x")


async def test_without_credentials_nothing_is_sent(connect: Connect) -> None:
    async with server(answer(200)) as (url, heads):
        with pytest.raises(StoreDeniedError, match="no AWS credentials"):
            await connect(url, chain=Chain(None)).put("x", b"", "text/plain")
        assert heads == []
