"""Pages of listings and ranges of objects, with both clients: the same promises, against a server and raw responses."""

import asyncio

import pytest

from dequeuer.core.errors import (
    ObjectReplacedError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnavailableError,
)
from dequeuer.core.events import StoreCalled
from dequeuer.sinks.base import ListedObject, ListedPage
from tests.fakes import Recorder
from tests.sinks.fake_s3 import fields_of
from tests.sinks.raw import answer, server
from tests.sinks.stores import ClosableStore, Connect, boto

LISTED = ListedObject(key="k", size=10, e_tag='"tag"')


async def all_pages(store: ClosableStore, prefix: str, after: str = "") -> list[ListedPage]:
    pages = [await store.list_page(prefix, after=after)]
    while pages[-1].next_token:
        pages.append(await store.list_page(prefix, token=pages[-1].next_token))
    return pages


async def test_a_listing_has_every_object_with_size_and_etag_on_any_number_of_pages(
    endpoint: str, connect: Connect
) -> None:
    client, names = boto(endpoint), [f"many/{number:04}" for number in range(1200)]
    if "Contents" not in client.list_objects_v2(Bucket="bucket", Prefix="many/"):
        for name in names:
            client.put_object(Bucket="bucket", Key=name, Body=name.encode()[:7])
    store = connect(endpoint)
    pages = await all_pages(store, "many/")
    assert len(pages) == 2
    assert [one.key for page in pages for one in page.objects] == names
    assert {one.size for page in pages for one in page.objects} == {7}
    assert pages[0].objects[0].e_tag == client.head_object(Bucket="bucket", Key=names[0])["ETag"]
    rest = await all_pages(store, "many/", after="many/1100")
    assert [one.key for page in rest for one in page.objects] == names[1101:]


async def test_keys_of_any_form_are_listed_as_they_are(endpoint: str, connect: Connect) -> None:
    names = sorted(["odd/a//b", "odd/a+b c", "odd/ä%41", "odd/&<>\"'", "odd/\U0001f600"], key=str.encode)
    client, store = boto(endpoint), connect(endpoint)
    for name in names:
        client.put_object(Bucket="bucket", Key=name, Body=b"x")
    listed = (await store.list_page("odd/")).objects
    assert [one.key for one in listed] == names
    assert [await store.read_range(one, 0, 1) for one in listed] == [b"x"] * len(names)
    assert [one.key for one in (await store.list_page("odd/", after=names[2])).objects] == names[3:]


async def test_a_prefix_without_objects_is_one_empty_page(endpoint: str, connect: Connect) -> None:
    assert await connect(endpoint).list_page("nothing/") == ListedPage(objects=[], next_token="")


async def test_a_missing_bucket_is_reported(endpoint: str, connect: Connect) -> None:
    with pytest.raises(StoreDeniedError):
        await connect(endpoint, bucket="no-such-bucket").list_page("")


def cut_listing(more: str) -> bytes:
    return answer(
        200, f"<ListBucketResult><Name>b</Name><IsTruncated>true</IsTruncated>{more}</ListBucketResult>".encode()
    )


@pytest.mark.parametrize(
    "raw", [cut_listing(""), cut_listing("<Contents><Key>k</Key></Contents>"), answer(200, b"<a/>")]
)
async def test_a_truncated_listing_without_a_continuation_is_invalid(raw: bytes, connect: Connect) -> None:
    async with server(raw) as (url, _):
        with pytest.raises(StoreUnavailableError):
            await connect(url).list_page("")


async def test_any_range_of_an_object_is_read(endpoint: str, connect: Connect) -> None:
    seen, body = Recorder(), bytes(range(256)) * 4000
    store = connect(endpoint, seen)
    await store.put("ranges/1", body, "application/json")
    listed = (await store.list_page("ranges/1")).objects[0]
    for start, length in [(0, 1), (0, len(body)), (5, 70_000), (len(body) - 3, 3), (len(body) - 3, 100)]:
        assert await store.read_range(listed, start, length) == body[start : start + length]
    assert [(call.op, call.error, call.key) for call in seen.of(StoreCalled)][-1] == ("get", None, "ranges/1")


async def test_an_object_that_was_replaced_or_deleted_is_reported(endpoint: str, connect: Connect) -> None:
    store = connect(endpoint)
    await store.put("changing", b"0123456789", "text/plain")
    listed = (await store.list_page("changing")).objects[0]
    await store.put("changing", b"abcdefghij", "text/plain")
    with pytest.raises(ObjectReplacedError):
        await store.read_range(listed, 2, 3)
    await store.delete(["changing"])
    with pytest.raises(StoreMissingError) as caught:
        await store.read_range(listed, 2, 3)
    assert not isinstance(caught.value, ObjectReplacedError)


def ranged(body: bytes, content_range: str, e_tag: str = '"tag"') -> bytes:
    date = "Tue, 14 Nov 2023 22:13:20 GMT"
    return answer(206, body, Content_Range=content_range, ETag=e_tag, Last_Modified=date)


@pytest.mark.parametrize(
    "raw",
    [
        ranged(b"234", "bytes 2-4/10", '"other"'),  # a store that ignores If-Match
        ranged(b"234", "bytes 2-4/11"),
        answer(412, b"<Error><Code>PreconditionFailed</Code></Error>"),
        answer(416, b"<Error><Code>InvalidRange</Code></Error>"),
    ],
)
async def test_another_object_is_never_taken_for_the_listed_one(raw: bytes, connect: Connect) -> None:
    async with server(raw) as (url, heads):
        with pytest.raises(ObjectReplacedError):
            await connect(url).read_range(LISTED, 2, 3)
    asked = fields_of(heads[0])
    assert (asked["if-match"], asked["range"]) == ('"tag"', "bytes=2-4")


@pytest.mark.parametrize(
    "raw",
    [
        ranged(b"345", "bytes 3-5/10"),
        ranged(b"23456", "bytes 2-6/10"),
        ranged(b"", "bytes 2-4/10"),
        ranged(b"234", "bytes 2-4/10")[:-3],
        answer(500),
        b"",
    ],
)
async def test_another_range_or_none_is_an_error_that_a_retry_may_mend(raw: bytes, connect: Connect) -> None:
    async with server(raw) as (url, _):
        with pytest.raises(StoreUnavailableError):
            await connect(url).read_range(LISTED, 2, 3)


async def test_what_came_before_a_connection_broke_is_returned(connect: Connect) -> None:
    async with server(ranged(b"23456", "bytes 2-6/10")[:-2]) as (url, _):
        assert await connect(url).read_range(LISTED, 2, 5) == b"234"


async def test_a_read_that_is_cancelled_frees_its_connection(connect: Connect) -> None:
    reached = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ranged(b"23456", "bytes 2-6/10")[:-2])
        await writer.drain()
        reached.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(stall, "127.0.0.1", 0) as running:
        store = connect(f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}")
        task = asyncio.create_task(store.read_range(LISTED, 2, 5))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
