"""The heads that are sent on."""

from __future__ import annotations

import pytest

from dequeuer.http.forwarding import last_chunk, request_head, response_head
from dequeuer.http.request_head import read_request_head
from dequeuer.http.response_head import read_response_head

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def forwarded(*lines: bytes, client: bytes = b"10.0.0.1", line: bytes = b"GET / HTTP/1.1") -> list[bytes]:
    """Return the lines of the head that the container gets."""
    head = read_request_head(b"\r\n".join([line, b"Host: h", *lines, b"", b""]))
    return request_head(head, client, TRACE, keep_alive=True).split(b"\r\n")[:-2]


def returned(*lines: bytes, status: bytes = b"200 OK", chunked: bool = False, connection: bytes = b"") -> list[bytes]:
    """Return the lines of the head that the client gets."""
    head = read_response_head(b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"", b""]))
    return response_head(head, chunked=chunked, connection=connection).split(b"\r\n")[:-2]


def test_fields_keep_their_order_and_are_repeated() -> None:
    assert forwarded(b"B: 1", b"a: 2", b"B: 3")[1:5] == [b"Host: h", b"B: 1", b"a: 2", b"B: 3"]
    assert returned(b"B: 1", b"a: 2", b"B: 3")[1:] == [b"B: 1", b"a: 2", b"B: 3"]


def test_fields_of_one_connection_are_dropped_and_those_that_it_names() -> None:
    sent = (b"Connection: close, X-Mine", b"Keep-Alive: 5", b"X-Mine: 1", b"Proxy-Connection: x", b"Upgrade: h2c")
    secret = (b"Proxy-Authorization: x", b"TE: deflate")
    assert [line.partition(b":")[0] for line in forwarded(*sent, *secret)] == [
        b"GET / HTTP/1.1",
        b"Host",
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Forwarded-Host",
        b"traceparent",
    ]
    assert returned(*sent[:4], b"Proxy-Authenticate: x", b"X: y") == [b"HTTP/1.1 200 OK", b"X: y"]


@pytest.mark.parametrize(
    ("parents", "passes"),
    [
        ([TRACE], True),
        ([], False),
        ([b"00-not-valid-01"], False),
        ([TRACE, TRACE], False),
    ],
    ids=["passed on", "begun here", "not valid", "twice"],
)
def test_the_state_of_a_trace_passes_with_its_trace_only(parents: list[bytes], passes: bool) -> None:
    lines = forwarded(*(b"traceparent: " + parent for parent in parents), b"tracestate: vendor=1")
    assert (b"tracestate: vendor=1" in lines) is passes
    assert lines.count(b"traceparent: " + TRACE) == 1


def test_content_type_is_never_dropped() -> None:
    assert b"Content-Type: a/b" in forwarded(b"Connection: content-type", b"Content-Type: a/b")


def test_a_client_that_takes_trailers_says_so_to_the_container() -> None:
    lines = forwarded(b"TE: gzip, Trailers", b"Connection: TE")
    assert b"TE: trailers" in lines
    assert b"Connection: TE" in lines
    lines = forwarded(b"TE: trailers", b"Connection: Upgrade, TE", b"Upgrade: x")
    assert b"Connection: TE, Upgrade" in lines


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ((), [b"X-Forwarded-For: 10.0.0.1", b"X-Forwarded-Proto: http", b"X-Forwarded-Host: h"]),
        (
            (b"X-Forwarded-For: 1.1.1.1", b"x-forwarded-for: 2.2.2.2", b"X-Forwarded-Proto: https"),
            [b"X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.1", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: h"],
        ),
        (
            (b"X-Forwarded-Host: public",),
            [b"X-Forwarded-For: 10.0.0.1", b"X-Forwarded-Proto: http", b"X-Forwarded-Host: public"],
        ),
    ],
)
def test_who_asked_is_added(sent: tuple[bytes, ...], expected: list[bytes]) -> None:
    assert [line for line in forwarded(*sent) if line.startswith(b"X-Forwarded")] == expected


@pytest.mark.parametrize(
    ("value", "client", "expected"),
    [
        (b"for=a", b"10.0.0.1", [b"Forwarded: for=a, for=10.0.0.1;proto=http"]),
        (b'for="[::1]"', b"::2", [b'Forwarded: for="[::1]", for="[::2]";proto=http']),
        (b'for="a', b"10.0.0.1", []),
        (b'for="a\\"', b"10.0.0.1", []),
        (b'for="a\\"b"', b"10.0.0.1", [b'Forwarded: for="a\\"b", for=10.0.0.1;proto=http']),
    ],
)
def test_forwarded_is_continued_where_it_is_sent(value: bytes, client: bytes, expected: list[bytes]) -> None:
    lines = forwarded(b"Forwarded: " + value, client=client)
    assert [line for line in lines if line.startswith(b"Forwarded")] == expected


def test_a_quote_of_forwarded_that_does_not_end_is_read_once() -> None:
    """From each escaped quote the rest was searched anew: one head of 64 KiB held the proxy for a minute."""
    assert not any(line.startswith(b"Forwarded") for line in forwarded(b'Forwarded: "' + b'\\"' * 30_000))


def test_the_trace_is_passed_on_once() -> None:
    assert [line for line in forwarded(b"TraceParent: x") if b"race" in line] == [b"traceparent: " + TRACE]


def test_lengths_are_written_anew() -> None:
    assert forwarded(b"Content-Length: 007", line=b"POST / HTTP/1.1")[-1] == b"Content-Length: 7"
    assert forwarded(b"Content-Length: 0", line=b"POST / HTTP/1.1")[-1] == b"Content-Length: 0"
    assert forwarded(b"Transfer-Encoding: CHUNKED", line=b"POST / HTTP/1.1")[-1] == b"Transfer-Encoding: chunked"
    assert returned(b"Content-Length: 007")[-1] == b"Content-Length: 7"
    assert returned(b"Content-Length: 7", status=b"204 No") == [b"HTTP/1.1 204 No"]
    assert returned(chunked=True)[-1] == b"Transfer-Encoding: chunked"


def test_trailers_that_would_change_the_head_are_dropped() -> None:
    trailers = [(b"X-Sum", b"1"), (b"content_length", b"5"), (b"Authorization", b"x"), (b"Host", b"x"), (b"X-B", b"")]
    assert last_chunk(trailers) == b"0\r\nX-Sum: 1\r\nX-B: \r\n\r\n"
    assert last_chunk([]) == b"0\r\n\r\n"
