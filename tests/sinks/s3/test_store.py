"""The slim client only: its requests, which responses are valid, and when it releases a connection."""

import asyncio
import gc
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import md5

import pytest

from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.events import StoreCalled
from dequeuer.sinks.s3.content_type import UNTYPED
from dequeuer.sinks.s3.download import MAX_BUFFERED_OBJECT_BYTES
from dequeuer.sinks.s3.listing import MAX_LISTING_BYTES
from dequeuer.sinks.s3.store import SlimStore, open_slim_store
from tests.fakes import Recorder, chunked
from tests.hostile.server import read_request, serving
from tests.sinks.fake_s3 import answer, fields_of, refusal
from tests.sinks.stores import slim_endpoint

LARGE = bytes(range(256)) * 4000


@dataclass
class ServedStore:
    """A server that sends responses in turn, the last one again and again; and a store that uses it."""

    store: SlimStore
    seen: Recorder
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def serving_store(*answers: bytes, path_style: bool = True) -> AsyncIterator[ServedStore]:
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        while True:
            served.requests.append(await read_request(reader))
            response = left.pop(0) if len(left) > 1 else left[0]
            writer.write(response)
            await writer.drain()
            length = response.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
            if not length or len(response.partition(b"\r\n\r\n")[2]) < int(length):
                return

    seen = Recorder()
    async with serving(serve) as port:
        endpoint = slim_endpoint(f"http://127.0.0.1:{port}")
        store = open_slim_store(endpoint=endpoint, bucket="bucket", path_style=path_style, observer=seen)
        served = ServedStore(store=store, seen=seen)
        try:
            yield served
        finally:
            await store.close()


async def read(store: SlimStore, key: str = "k") -> bytes:
    return b"".join([chunk async for chunk in (await store.get(key)).chunks])


@pytest.mark.parametrize(("path_style", "path"), [(True, b"/bucket/a/b%20c"), (False, b"/a/b%20c")])
async def test_where_the_name_of_the_bucket_stands(path_style: bool, path: bytes) -> None:
    async with serving_store(answer(200), path_style=path_style) as served:
        await served.store.put("a/b c", b"", "text/plain")
        await served.store.delete(["a/b c"])
    assert [request.split(b" ")[1] for request in served.requests] == [path] * 2


@pytest.mark.parametrize(("path_style", "path"), [(True, b"/bucket?"), (False, b"/?")])
async def test_where_the_bucket_itself_is_asked_for(path_style: bool, path: bytes) -> None:
    async with serving_store(answer(200, b"<ListBucketResult/>"), path_style=path_style) as served:
        assert await served.store.list("a/") == []
    assert served.requests[0].split(b" ")[1] == path + b"encoding-type=url&list-type=2&prefix=a%2F"


@pytest.mark.parametrize("odd", ["a/b\r\nx-amz-acl: public-read", "text/\udce9", "text/\xe9", "a\0b"])
async def test_a_type_that_is_no_valid_header_value_is_omitted(odd: str) -> None:
    async with serving_store(answer(200)) as served:
        await served.store.put("k", b"", odd)
        await served.store.create("k", b"", odd)
        await served.store.put_stream("k", chunked(b"x"), odd)
    fields = [fields_of(request) for request in served.requests]
    assert [named["content-type"] for named in fields] == [UNTYPED] * 3
    assert not any("x-amz-acl" in named for named in fields)


@pytest.mark.parametrize("body", [b"", b"x" * MAX_BUFFERED_OBJECT_BYTES])
async def test_a_small_object_frees_its_connection_before_it_is_read(body: bytes) -> None:
    async with serving_store(answer(200, body)) as served:
        found = [await served.store.get("k") for _ in range(3)]
        assert served.connections == 1
        for payload in found:
            assert [chunk async for chunk in payload.chunks] == ([body] if body else [])
            assert payload.modified_at == 1_700_000_000.0


async def leave(chunks: AsyncIterator[bytes]) -> None:
    assert isinstance(chunks, AsyncGenerator)
    await chunks.aclose()


async def leave_in_the_middle(chunks: AsyncIterator[bytes]) -> None:
    await anext(chunks)
    await leave(chunks)


async def cancel(chunks: AsyncIterator[bytes]) -> None:
    async def reading() -> None:
        async for _ in chunks:
            begun.set()

    begun = asyncio.Event()
    task = asyncio.create_task(reading())
    await begun.wait()
    task.cancel()
    await asyncio.wait({task})


async def drop(_chunks: AsyncIterator[bytes]) -> None:
    return


@pytest.mark.parametrize("end", [leave, leave_in_the_middle, cancel, drop])
async def test_a_stream_that_is_not_read_to_its_end_frees_its_connection(
    end: Callable[[AsyncIterator[bytes]], Awaitable[None]],
) -> None:
    async def stalling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        try:
            writer.write(answer(200, LARGE)[:-1])
            await writer.drain()
            await reader.read()
        finally:
            hung_up.set()

    hung_up = asyncio.Event()
    async with asyncio.timeout(60), serving(stalling) as port:
        endpoint = slim_endpoint(f"http://127.0.0.1:{port}")
        store = open_slim_store(endpoint=endpoint, bucket="bucket", path_style=True, observer=Recorder())
        payload = await store.get("k")
        await end(payload.chunks)
        del payload
        gc.collect()
        await hung_up.wait()
        await store.close()


async def test_a_large_object_is_read_at_the_reader_s_pace_and_its_connection_kept() -> None:
    async with serving_store(answer(200, LARGE * 4)) as served:
        for _ in range(2):
            assert await read(served.store) == LARGE * 4
        assert served.connections == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nLast-Modified: Tue, 99 Nov 2023 22:13:20 GMT\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nLast-Modified: 2023-11-14T22:13:20\r\n\r\nx",
        answer(206, b"x"),
        answer(204),
    ],
)
async def test_an_object_without_its_facts_is_not_there_for_now(head: bytes) -> None:
    async with serving_store(head) as served:
        with pytest.raises(StoreUnavailableError):
            await served.store.get("k")
    assert [(event.op, event.error) for event in served.seen.of(StoreCalled)] == [("get", "unavailable")]


@pytest.mark.parametrize("size", [1000, len(LARGE)])
async def test_a_broken_download_is_resumed_where_it_broke(size: int) -> None:
    whole, cut = LARGE[:size], size // 2
    given = f"bytes {cut}-{size - 1}/{size}"
    rest = answer(206, whole[cut:], Content_Range=given, ETag='"e"')
    async with serving_store(answer(200, whole, ETag='"e"')[: cut - size], rest) as served:
        assert await read(served.store) == whole
    asked = fields_of(served.requests[1])
    assert (asked["range"], asked["if-match"]) == (f"bytes={cut}-", '"e"')
    assert [(event.op, event.error) for event in served.seen.of(StoreCalled)] == [
        ("get", None),
        ("get", "unavailable"),
        ("get", None),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        answer(200, LARGE[:1000], ETag='"e"'),
        answer(206, LARGE[500:1000]),
        answer(206, LARGE[499:1000], Content_Range="bytes 499-999/1000"),
        answer(206, LARGE[500:999], Content_Range="bytes 500-998/1000"),
        answer(206, LARGE[500:999], Content_Range="bytes 500-999/1000"),
        answer(206, LARGE[500:1001], Content_Range="bytes 500-1000/1001"),
        answer(416),
        refusal(503, "SlowDown"),
    ],
)
async def test_another_part_than_was_asked_for_is_not_taken(wrong: bytes) -> None:
    rest = answer(206, LARGE[500:1000], Content_Range="bytes 500-999/1000")
    async with serving_store(answer(200, LARGE[:1000], ETag='"e"')[:-500], wrong, rest) as served:
        assert await read(served.store) == LARGE[:1000]
    assert len(served.requests) == 3


async def test_several_objects_are_deleted_with_one_request() -> None:
    keys = ["a/<&>\"'", "b"]
    async with serving_store(answer(200, b'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>')) as served:
        await served.store.delete(keys)
    head, _, body = served.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /bucket?delete= ")
    assert b"<Quiet>true</Quiet>" in body
    assert b"<Object><Key>a/&lt;&amp;&gt;\"'</Key></Object><Object><Key>b</Key></Object>" in body
    assert fields_of(head)["content-md5"] == b64encode(md5(body).digest()).decode()  # noqa: S324 - as S3 wants it


async def test_a_thousand_objects_at_a_time_are_deleted() -> None:
    async with serving_store(answer(200, b"<DeleteResult/>")) as served:
        await served.store.delete([str(number) for number in range(2001)])
        await served.store.delete([])
    counts = [request.count(b"<Object>") for request in served.requests]
    assert counts == [1000, 1000, 1]


def failures(*codes: str) -> bytes:
    errors = "".join(f"<Error><Key>k</Key><Code>{code}</Code><Message>secret</Message></Error>" for code in codes)
    return answer(200, f"<DeleteResult>{errors}</DeleteResult>".encode())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (failures("NoSuchKey", "NoSuchKey"), None),
        (failures("NoSuchKey", "InternalError"), StoreUnavailableError),
        (failures("InternalError", "AccessDenied"), StoreDeniedError),
        (failures(""), StoreUnavailableError),
        (failures("a secret"), StoreUnavailableError),
        (answer(200), StoreUnavailableError),
        (answer(200, b"<DeleteResult>"), StoreUnavailableError),
        (answer(200, b"<Other/>"), StoreUnavailableError),
        (refusal(503, "SlowDown"), StoreUnavailableError),
        (refusal(404, "NoSuchBucket"), StoreDeniedError),
    ],
)
async def test_objects_that_could_not_be_deleted_are_an_error(raw: bytes, expected: type[Exception] | None) -> None:
    async with serving_store(raw) as served:
        if expected is None:
            await served.store.delete(["a", "b"])
        else:
            with pytest.raises(expected) as caught:
                await served.store.delete(["a", "b"])
            assert "secret" not in str(caught.value)
    assert len(served.seen.of(StoreCalled)) == 1


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (answer(204), None),
        (refusal(404, "NoSuchKey"), None),
        (answer(404), StoreMissingError),
        (refusal(404, "NoSuchBucket"), StoreDeniedError),
    ],
)
async def test_one_object_that_is_already_gone(raw: bytes, expected: type[Exception] | None) -> None:
    async with serving_store(raw) as served:
        if expected is None:
            await served.store.delete(["a"])
        else:
            with pytest.raises(expected):
                await served.store.delete(["a"])
    assert served.requests[0].startswith(b"DELETE /bucket/a ")


@pytest.mark.parametrize("status", [409, 412])
async def test_a_refused_creation_is_no_error(status: int) -> None:
    async with serving_store(refusal(status, "ConditionalRequestConflict")) as served:
        assert not await served.store.create("k", b"x", "text/plain")
        assert served.seen.of(StoreCalled)[0].error is None
    assert fields_of(served.requests[0])["if-none-match"] == "*"


@pytest.mark.parametrize(("status", "code"), [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")])
async def test_a_bucket_in_another_region_is_reported(status: int, code: str) -> None:
    async with serving_store(refusal(status, code)) as served:
        with pytest.raises(StoreDeniedError, match=f"{status} {code}: .*AWS_REGION"):
            await served.store.put("k", b"x", "text/plain")


async def test_the_error_of_a_refusal_has_its_code_and_no_other_text() -> None:
    async with serving_store(
        answer(403, b"<Error><Message>secret</Message><Code>AccessDenied</Code></Error>")
    ) as served:
        with pytest.raises(StoreDeniedError, match=r"^S3 answered 403 AccessDenied$"):
            await served.store.get("k")
    async with serving_store(answer(500, b"<Error><Code>a secret</Code></Error>")) as served:
        with pytest.raises(StoreUnavailableError, match=r"^S3 answered 500$"):
            await served.store.get("k")


def listing(entries: str, more: str = "") -> bytes:
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    return answer(200, f'<ListBucketResult xmlns="{namespace}">{more}{entries}</ListBucketResult>'.encode())


async def test_keys_are_unescaped_when_the_response_has_an_encoding_type() -> None:
    entries = "<Contents><Key>a%2Bb+c</Key><Size>1</Size></Contents><CommonPrefixes><Key>x</Key></CommonPrefixes>"
    async with serving_store(listing(entries, "<EncodingType>url</EncodingType>")) as served:
        assert await served.store.list("a") == ["a+b c"]
    async with serving_store(listing("<Contents><Key>a%2Bb+c&amp;</Key></Contents>")) as served:
        assert await served.store.list("a") == ["a%2Bb+c&"]


async def test_a_page_of_a_megabyte_is_read() -> None:
    entries = "".join(f"<Contents><Key>{'x' * 900}{number}</Key></Contents>" for number in range(1000))
    async with serving_store(listing(entries)) as served:
        assert len(await served.store.list("x")) == 1000


BILLION = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    "raw",
    [
        answer(200, b"<!DOCTYPE x><ListBucketResult/>"),
        answer(200, f'<!DOCTYPE x [<!ENTITY e0 "x">{BILLION}]><ListBucketResult>&e11;</ListBucketResult>'.encode()),
        answer(200, '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><ListBucketResult/>'.encode("utf-16")),
        listing("&undeclared;"),
        answer(200, b"<ListBucketResult>" + b"<a>" * 100 + b"</a>" * 100 + b"</ListBucketResult>"),
        answer(200, b"<ListBucketResult><Contents><Key>k</Key></Contents>"),
        answer(200, b"<ListBucketResult/><ListBucketResult/>"),
        listing("<Contents><Key>\0</Key></Contents>"),
        listing(f"<Contents><Key>{'x' * MAX_LISTING_BYTES}</Key></Contents>"),
        answer(200, b"<html><body>login</body></html>"),
        answer(200),
    ],
)
async def test_a_listing_that_cannot_be_trusted_is_none(raw: bytes) -> None:
    async with serving_store(raw) as served:
        with pytest.raises(StoreUnavailableError):
            await served.store.list("k/")
    assert [(event.op, event.error) for event in served.seen.of(StoreCalled)] == [("list", "unavailable")]
