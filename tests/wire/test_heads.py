import pytest

from dequeuer.wire.heads import plain_head

START = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("lines", "length", "keeps"),
    [
        (b"Content-Length: 2\r\n", 2, True),
        (b"content-length:2\r\nA: b\r\n", 2, True),
        (b"A: b\r\nCONTENT-LENGTH: 0 \r\n", 0, True),
        (b"Content-Length: 2\r\nConnection: keep-alive\r\n", 2, True),
        (b"Content-Length: 2\r\nConnection: close\r\n", 2, False),
        (b"Content-Length: 2\r\nConnection: x\r\n", 2, False),
    ],
)
def test_the_usual_form(lines: bytes, length: int, keeps: bool) -> None:
    head = plain_head(START + lines + b"\r\n{}")
    assert head is not None
    assert (head.status, head.length, head.keeps) == (200, length, keeps)
    assert (START + lines + b"\r\n{}")[head.end :] == b"{}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        START + b"Content-Length: 2\r\n",
        START + b"A: b\r\n\r\n",
        START + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n",
        START + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        START + b"Content-Length: 2\r\n folded\r\n\r\n",
        START + b"Content-Length: 2\r\nA: \0\r\n\r\n",
        START + b"Content-Length: 2\nA: b\r\n\r\n",
        START + b"Content-Length: 2\r\nA: b\rc\r\n\r\n",
        START + b"Content-Length: 2\r\nUpgrade: h2c\r\n\r\n",
        START + b"Content-Length: +2\r\n\r\n",
        START + b"Content-Length: 2, 2\r\n\r\n",
        START + b"Content-Length: 9999999999999999\r\n\r\n",
        START + b"Content-Length: 2\r\nA: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_whatever_is_unusual_is_left_to_a_parser(data: bytes) -> None:
    assert plain_head(data) is None
