"""The judge of these tests reads what RFC 9112 says: it is not written after the proxy."""

from __future__ import annotations

import itertools

import pytest

from dequeuer.http.errors import MalformedError
from dequeuer.http.framing import ChunkedBody
from tests.integration.proxy.judge import FaultError, read_chunks, read_requests
from tests.integration.proxy.response_judge import read_responses

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


def test_requests_of_all_kinds_are_read_one_after_the_other() -> None:
    reading = read_requests(
        GET
        + b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
        + b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n"
        + b"GET /d HTTP/1.1\r\nHo"
    )
    assert [(request.target, request.body) for request in reading.requests] == [
        (b"/a", b""),
        (b"/b", b"abc"),
        (b"/c", b"abcde"),
    ]
    assert reading.requests[2].trailers == ((b"A", b"b"),)
    assert [request.doubts for request in reading.requests] == [(), (), ()]
    assert (reading.fault, reading.partial, reading.rest) == ("", None, b"GET /d HTTP/1.1\r\nHo")


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc", b"abc"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", b"abc"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", b"abc"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r", b"abc"),
    ],
)
def test_a_body_that_does_not_end_is_no_request(data: bytes, body: bytes) -> None:
    reading = read_requests(data)
    assert (reading.requests, reading.fault) == ((), "")
    assert reading.partial is not None
    assert (reading.partial.body, reading.partial.is_whole) == (body, False)


@pytest.mark.parametrize("ending", [b"Connection: close", b"Connection: a, Close"])
def test_nothing_is_read_after_the_last_request_of_a_connection(ending: bytes) -> None:
    last = b"GET /a HTTP/1.1\r\nHost: h\r\n" + ending + b"\r\n\r\n"
    assert len(read_requests(last + GET).requests) == 1
    assert len(read_requests(b"GET /a HTTP/1.0\r\n\r\n" + GET).requests) == 1
    assert len(read_requests(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET).requests) == 2


def test_a_body_is_not_read_as_a_request() -> None:
    [request] = read_requests(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(GET), GET)).requests
    assert request.body == GET


def test_what_may_be_read_in_two_ways_is_a_doubt() -> None:
    for data in (
        b"\r\n" + GET,
        b"GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 03\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n03;a=b\r\nabc\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: host\r\n\r\n",
    ):
        [request] = read_requests(data).requests
        assert request.doubts, data


def test_what_the_parser_takes_for_an_extension_of_a_chunk_the_judge_reads_in_the_same_way() -> None:
    """All extensions up to five bytes, of the bytes that its grammar knows. The judge may be less strict, never more."""
    taken = 0
    for length in range(6):
        for extension in map(bytes, itertools.product(b'a=;"\\ \x01\xe9', repeat=length)):
            framed = b"1" + extension + b"\r\nx\r\n0\r\n\r\n"
            reader = ChunkedBody()
            try:
                body, used = reader.feed(framed)
            except MalformedError:
                continue
            if not reader.is_done:
                continue
            taken += 1
            chunks = read_chunks(framed, 0)
            assert (bytes(chunks.content), chunks.at, chunks.is_whole) == (body, used, True), extension
            assert bool(chunks.doubts) == bool(extension), extension
    assert taken > 50


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd",
        b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_not_exactly_the_response_is_a_fault(data: bytes) -> None:
    with pytest.raises(FaultError):
        read_responses(data, [b"GET"], is_closed=False)


def test_responses_are_read_by_the_methods_of_their_requests() -> None:
    head, get = read_responses(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        [b"HEAD", b"GET"],
        is_closed=False,
    )
    assert (head.body, head.is_whole) == (b"", True)
    assert (get.body, get.interim, get.is_whole) == (b"abc", (103,), True)
