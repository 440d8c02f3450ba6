"""A store with arbitrary responses: only our own errors, complete objects or none, and no keys outside the request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.events import StoreCalled
from tests.fakes import Recorder
from tests.hostile.server import Script, answering, flooding, serving
from tests.sinks.stores import CLIENTS, Connect, connecting

OURS = (StoreUnavailableError, StoreMissingError, StoreDeniedError)
ETAG = b'ETag: "e"\r\n'
DATE = b"Last-Modified: Mon, 03 May 2021 12:00:00 GMT\r\n"
FACTS = ETAG + DATE


@pytest.fixture(params=CLIENTS)
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    async with connecting(request.param) as connect:
        yield connect


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def http(body: bytes, status: bytes = b"200 OK", head: bytes = FACTS) -> bytes:
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, head, len(body), body)


EVERYTHING: dict[str, Script] = {
    "garbage": answering(b"garbage\r\n\r\n", then="close"),
    "nothing": answering(b"", then="close"),
    "a reset": answering(b"HTTP/1.1 200 OK\r\n", then="reset"),
    "an invalid length": answering(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", then="close"),
    "two lengths": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", then="close"),
    "endless headers": flooding(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "an odd status": answering(http(b"", b"999 Odd")),
    "an error that is no XML": answering(http(b"\xff\xfe<", b"500 Oh")),
    "a redirect to itself": answering(http(b"", b"307 T", b"Location: /bucket/k\r\n")),
}


@pytest.mark.parametrize("name", EVERYTHING)
async def test_for_any_response_the_store_raises_only_its_own_errors(name: str, connect: Connect) -> None:
    seen = Recorder()
    async with asyncio.timeout(100), serving(EVERYTHING[name]) as port:
        store = connect(url(port), seen)
        for call in (
            lambda: store.get("k"),
            lambda: store.list("k/"),
            lambda: store.put("k", b"x", "text/plain"),
            lambda: store.create("k", b"x", "text/plain"),
            lambda: store.delete(["k"]),
        ):
            with pytest.raises(OURS):
                await call()
    assert [event.op for event in seen.of(StoreCalled)] == ["get", "list", "put", "put", "delete"]
    assert [event for event in seen.of(StoreCalled) if event.error is None or not event.detail.isprintable()] == []


@pytest.mark.parametrize(
    "head",
    [b"", ETAG, DATE, ETAG + b"Last-Modified: yesterday\r\n", FACTS + b"Content-Type: \xff\xfe\r\n"],
)
async def test_an_object_with_missing_headers_is_an_error_or_complete(head: bytes, connect: Connect) -> None:
    async with asyncio.timeout(100), serving(answering(http(b"body", head=head))) as port:
        try:
            found = await connect(url(port), Recorder()).get("k")
        except OURS:
            return
        assert b"".join([chunk async for chunk in found.chunks]) == b"body"


LISTS = {
    "no XML": b"\xff\xfe",
    "nothing": b"",
    "half a list": b"<ListBucketResult><Contents><Key>k/a</Key>",
    "another document": b"<html><body>login</body></html>",
    "an entry without required fields": b"<ListBucketResult><Contents><Key>k/a</Key></Contents></ListBucketResult>",
    "an invalid size": (
        b"<ListBucketResult><Contents><Key>k/a</Key><Size>x</Size><LastModified>x</LastModified></Contents>"
        b"</ListBucketResult>"
    ),
    "an entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><ListBucketResult>&e;</ListBucketResult>',
    "deep nesting": b"<a>" * 20_000,
}


@pytest.mark.parametrize("name", LISTS)
async def test_a_malformed_list_is_an_error(name: str, connect: Connect) -> None:
    async with asyncio.timeout(100), serving(answering(http(LISTS[name]))) as port:
        try:
            keys = await connect(url(port), Recorder()).list("k/")
        except OURS:
            return
        assert set(keys) <= {"k/a"}
