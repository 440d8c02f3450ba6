"""What is read from the head of a response, and what is refused."""

from __future__ import annotations

import pytest

from dequeuer.http.errors import MalformedError
from dequeuer.http.framing import ChunkedBody, LengthBody, NoBody, UntilCloseBody
from dequeuer.http.response_head import MAX_FIELDS, read_response_head


def test_what_a_head_says_is_kept_as_it_was_sent() -> None:
    head = read_response_head(
        b"HTTP/1.1 299 Quite \xe9 OK\r\nX-A: 1\r\nx-a:\t2 \r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n"
    )
    assert (head.status, head.reason) == (299, b"Quite \xe9 OK")
    assert [field[1:] for field in head.fields] == [
        (b"X-A", b"1"),
        (b"x-a", b"2"),
        (b"Set-Cookie", b"a"),
        (b"Set-Cookie", b"b"),
    ]


@pytest.mark.parametrize(
    ("method", "status", "fields", "kind"),
    [
        (b"GET", 200, b"", UntilCloseBody),
        (b"GET", 200, b"Content-Length: 5\r\n", LengthBody),
        (b"GET", 200, b"Transfer-Encoding: Chunked\r\n", ChunkedBody),
        (b"HEAD", 200, b"Content-Length: 5\r\n", NoBody),
        (b"HEAD", 200, b"Transfer-Encoding: chunked\r\n", NoBody),
        (b"GET", 204, b"", NoBody),
        (b"GET", 204, b"Content-Length: 5\r\n", NoBody),
        (b"GET", 304, b"Content-Length: 5\r\n", NoBody),
    ],
)
def test_the_body_follows_from_method_status_and_fields(method: bytes, status: int, fields: bytes, kind: type) -> None:
    head = read_response_head(b"HTTP/1.1 %d X\r\n%b\r\n" % (status, fields))
    assert type(head.body_reader(method)) is kind


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nX: y\r\n\r\n",
        b"HTTP/1.1 200 O\rK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n",
        b"HTTP/1.1 200 O\x7fK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 X\r\n\r\n",
        b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (MAX_FIELDS + 1) + b"\r\n",
    ],
)
def test_a_head_that_is_ambiguous_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_response_head(data)


@pytest.mark.parametrize(("status", "is_interim"), [(100, True), (101, False), (103, True), (199, True), (200, False)])
def test_responses_of_1xx_are_interim_but_for_101(status: int, is_interim: bool) -> None:
    fields = b"Connection: Upgrade\r\nUpgrade: x\r\n" if status == 101 else b""
    assert read_response_head(b"HTTP/1.1 %d \r\n%b\r\n" % (status, fields)).is_interim is is_interim


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_the_connection_is_kept_as_the_container_says(head: bytes, keep_alive: bool) -> None:
    assert read_response_head(head).keep_alive is keep_alive


def test_a_reason_may_be_missing() -> None:
    assert read_response_head(b"HTTP/1.1 200\r\n\r\n").reason == b""


def test_another_protocol_is_named() -> None:
    with pytest.raises(MalformedError) as caught:
        read_response_head(b"SSH-2.0-x\r\n\r\n")
    assert caught.value.looks_like == "SSH"
