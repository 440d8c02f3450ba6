"""A container that is hostile, or broken: a client gets the response to its own request, an error, or a broken connection.

No response is ever taken for that to another request, and no half of one looks whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.integration.proxy.client import converse
from tests.integration.proxy.judge import Request
from tests.integration.proxy.recorder import CLOSE, Recorder, echo
from tests.integration.proxy.response_judge import read_responses
from tests.integration.waiting import eventually


@dataclass(frozen=True, slots=True)
class Answer:
    """What a container sends, in parts, and what the client gets.

    Attributes:
        expected: the status; 0: the response is cut off.
        body: that the client gets.
    """

    name: str
    parts: Sequence[bytes]
    expected: int
    body: bytes = b""
    method: bytes = b"GET"


def ok(*fields: bytes, body: bytes = b"", status: bytes = b"200 OK", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([version + b" " + status, *fields, b"", body])


INJECTED = ok(b"Content-Length: 8", body=b"injected")
TE = b"Transfer-Encoding: chunked"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

PASSED = [
    Answer("plain", [ok(b"Content-Length: 2", body=b"ab")], 200, b"ab"),
    Answer("two responses", [ok(b"Content-Length: 2", body=b"ab") + INJECTED], 200, b"ab"),
    Answer("a second response, later", [ok(b"Content-Length: 2", body=b"ab"), INJECTED], 200, b"ab"),
    Answer("bytes after the body", [ok(b"Content-Length: 2", body=b"abcdef")], 200, b"ab"),
    Answer("bytes after the body, later", [ok(b"Content-Length: 2", body=b"ab"), b"cdef"], 200, b"ab"),
    Answer("a line end after the body", [ok(b"Content-Length: 2", body=b"ab\r\n")], 200, b"ab"),
    Answer("bytes after the chunks", [ok(TE, body=b"2\r\nab\r\n0\r\n\r\n" + INJECTED)], 200, b"ab"),
    Answer("no body, and one", [ok(b"Content-Length: 0", body=INJECTED)], 200, b""),
    Answer("HEAD with a body", [ok(b"Content-Length: 8", body=b"injected")], 200, b"", b"HEAD"),
    Answer("HEAD with a response for a body", [ok(b"Content-Length: %d" % len(INJECTED), body=INJECTED)], 200, b"", b"HEAD"),
    Answer("HEAD with a body, later", [ok(b"Content-Length: %d" % len(INJECTED)), INJECTED], 200, b"", b"HEAD"),
    Answer("HEAD with chunks", [ok(TE, body=b"2\r\nab\r\n0\r\n\r\n")], 200, b"", b"HEAD"),
    Answer("204 with a body", [ok(b"Content-Length: 8", body=b"injected", status=b"204 No Content")], 204),
    Answer("204 with a response for a body", [ok(body=INJECTED, status=b"204 No Content")], 204),
    Answer("204 with chunks", [ok(TE, body=b"2\r\nab\r\n0\r\n\r\n", status=b"204 No Content")], 204),
    Answer("304 with a body", [ok(b"Content-Length: 8", body=b"injected", status=b"304 Not Modified")], 304),
    Answer("304 with a body, later", [ok(status=b"304 Not Modified"), INJECTED], 304),
    Answer("until the end", [ok(body=b"ab"), b"cd", CLOSE], 200, b"abcd"),
    Answer("until the end, with a response in it", [ok(body=b"ab" + INJECTED), CLOSE], 200, b"ab" + INJECTED),
    Answer("HTTP/1.0", [ok(b"Content-Length: 2", body=b"ab", version=b"HTTP/1.0"), CLOSE], 200, b"ab"),
    Answer("interim responses", [INTERIM * 5 + ok(b"Content-Length: 2", body=b"ab")], 200, b"ab"),
    Answer("interim responses, then two", [INTERIM + ok(b"Content-Length: 2", body=b"ab") + INJECTED], 200, b"ab"),
    Answer("one byte at a time", [bytes([byte]) for byte in ok(b"Content-Length: 2", body=b"ab")], 200, b"ab"),
    Answer("Connection names the length", [ok(b"Connection: Content-Length", b"Content-Length: 2", body=b"ab")], 200, b"ab"),
    Answer("Connection names the coding", [ok(b"Connection: Transfer-Encoding", TE, body=b"2\r\nab\r\n0\r\n\r\n")], 200, b"ab"),
    Answer("no reason", [b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nab"], 200, b"ab"),
    Answer("trailers that route", [ok(TE, body=b"2\r\nab\r\n0\r\nLocation: /b\r\nA: b\r\n\r\n")], 200, b"ab"),
    Answer("underscores for the length", [ok(b"Content_Length: 5", b"Content-Length: 2", body=b"ab")], 200, b"ab"),
    Answer("status that nobody knows", [ok(b"Content-Length: 2", body=b"ab", status=b"299 Odd")], 299, b"ab"),
]  # fmt: skip

REFUSED = [
    Answer("length and coding", [ok(b"Content-Length: 2", TE, body=b"2\r\nab\r\n0\r\n\r\n")], 502),
    Answer("coding and length", [ok(TE, b"Content-Length: 2", body=b"2\r\nab\r\n0\r\n\r\n")], 502),
    Answer("two lengths", [ok(b"Content-Length: 2", b"Content-Length: 4", body=b"abcd")], 502),
    Answer("list of lengths", [ok(b"Content-Length: 2, 4", body=b"abcd")], 502),
    Answer("plus", [ok(b"Content-Length: +2", body=b"ab")], 502),
    Answer("minus", [ok(b"Content-Length: -2", body=b"ab")], 502),
    Answer("hex", [ok(b"Content-Length: 0x2", body=b"ab")], 502),
    Answer("empty length", [ok(b"Content-Length:", body=INJECTED)], 502),
    Answer("2**63", [ok(b"Content-Length: 9223372036854775808", body=b"ab")], 502),
    Answer("2**64 + 2", [ok(b"Content-Length: 18446744073709551618", body=b"ab")], 502),
    Answer("two codings", [ok(TE, TE, body=b"2\r\nab\r\n0\r\n\r\n")], 502),
    Answer("chunked, then identity", [ok(b"Transfer-Encoding: chunked, identity", body=b"2\r\nab\r\n0\r\n\r\n")], 502),
    Answer("unknown coding", [ok(b"Transfer-Encoding: cow", body=b"ab")], 502),
    Answer("coding with a vertical tab", [ok(b"Transfer-Encoding: \x0bchunked", body=b"2\r\nab\r\n0\r\n\r\n")], 502),
    Answer("chunks in HTTP/1.0", [ok(TE, body=b"2\r\nab\r\n0\r\n\r\n", version=b"HTTP/1.0")], 502),
    Answer("space before a colon", [ok(b"Content-Length : 2", body=b"ab")], 502),
    Answer("folded line", [ok(b"A: b", b" Content-Length: 5", b"Content-Length: 2", body=b"ab")], 502),
    Answer("LF", [ok(b"A: b\nContent-Length: 5", b"Content-Length: 2", body=b"ab")], 502),
    Answer("LF everywhere", [b"HTTP/1.1 200 OK\nContent-Length: 2\n\nab\r\n\r\n"], 502),
    Answer("CR", [ok(b"A: b\rContent-Length: 5", b"Content-Length: 2", body=b"ab")], 502),
    Answer("NUL", [ok(b"A: b\x00c", b"Content-Length: 2", body=b"ab")], 502),
    Answer("no colon", [ok(b"chunked", b"Content-Length: 2", body=b"ab")], 502),
    Answer("empty name", [ok(b": b", b"Content-Length: 2", body=b"ab")], 502),
    Answer("quote in a name", [ok(b'A": b', b"Content-Length: 2", body=b"ab")], 502),
    Answer("CR in the reason", [ok(b"Content-Length: 2", body=b"ab", status=b"200 O\rK")], 502),
    Answer("LF in the reason", [ok(b"Content-Length: 2", body=b"ab", status=b"200 OK\nA: b")], 502),
    Answer("NUL in the reason", [ok(b"Content-Length: 2", body=b"ab", status=b"200 O\x00K")], 502),
    Answer("DEL in the reason", [ok(b"Content-Length: 2", body=b"ab", status=b"200 O\x7fK")], 502),
    Answer("status of two digits", [ok(b"Content-Length: 2", body=b"ab", status=b"20 OK")], 502),
    Answer("status of four digits", [ok(b"Content-Length: 2", body=b"ab", status=b"2000 OK")], 502),
    Answer("status 000", [ok(b"Content-Length: 2", body=b"ab", status=b"000 No")], 502),
    Answer("status of letters", [ok(b"Content-Length: 2", body=b"ab", status=b"abc")], 502),
    Answer("two spaces before the status", [ok(b"Content-Length: 2", body=b"ab", status=b" 200 OK")], 502),
    Answer("HTTP/2", [ok(b"Content-Length: 2", body=b"ab", version=b"HTTP/2")], 502),
    Answer("HTTP/1.2", [ok(b"Content-Length: 2", body=b"ab", version=b"HTTP/1.2")], 502),
    Answer("http/1.1", [ok(b"Content-Length: 2", body=b"ab", version=b"http/1.1")], 502),
    Answer("ICY", [b"ICY 200 OK\r\nContent-Length: 2\r\n\r\nab"], 502),
    Answer("HTTP/0.9", [b"<html>", CLOSE], 502),
    Answer("line end before", [b"\r\n" + INJECTED], 502),
    Answer("a request", [b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"], 502),
    Answer("TLS alert", [b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n"], 502),
    Answer("frames of HTTP/2", [b"\0\0\x12\4\0\0\0\0\0" + bytes(18)], 502),
    Answer("101 that nobody asked for", [ok(b"Connection: Upgrade", b"Upgrade: websocket", status=b"101 Switching Protocols")], 502),
    Answer("101 that nobody asked for, and a response", [ok(b"Connection: Upgrade", b"Upgrade: x", status=b"101 Switching Protocols", body=INJECTED)], 502),
    Answer("flood of interim responses", [INTERIM * 100], 502),
    Answer("interim response with a body", [b"HTTP/1.1 103 Early Hints\r\nContent-Length: 8\r\n\r\ninjected" + INJECTED], 502),
    Answer("head without end", [b"HTTP/1.1 200 OK\r\nA: " + b"b" * 200_000], 502),
    Answer("1,000 fields", [ok(*[b"A: b"] * 1000, b"Content-Length: 2", body=b"ab")], 502),
    Answer("nothing", [CLOSE], 502),
    Answer("half a head", [b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE], 502),
    Answer("interim response alone", [INTERIM, CLOSE], 502),
]  # fmt: skip

CUT = [
    Answer("shorter than its length", [ok(b"Content-Length: 4", body=b"ab"), CLOSE], 0, b"ab"),
    Answer("no last chunk", [ok(TE, body=b"2\r\nab\r\n"), CLOSE], 0, b"ab"),
    Answer("half a chunk", [ok(TE, body=b"4\r\nab"), CLOSE], 0, b"ab"),
    Answer("no end of the trailers", [ok(TE, body=b"2\r\nab\r\n0\r\nA: b\r\n"), CLOSE], 0, b"ab"),
    Answer("size of a chunk with 0x", [ok(TE), b"2\r\nab\r\n0x2\r\ncd\r\n0\r\n\r\n"], 0, b"ab"),
    Answer("size of a chunk with LF", [ok(TE), b"2\r\nab\r\n2\ncd\r\n0\r\n\r\n"], 0, b"ab"),
    Answer("chunk too long", [ok(TE), b"2\r\nab\r\n2\r\ncdef\r\n0\r\n\r\n"], 0, b"ab"),
    Answer("a response for a chunk", [ok(TE), b"2\r\nab\r\n" + INJECTED], 0, b"ab"),
    Answer("LF LF at the end", [ok(TE), b"2\r\nab\r\n0\n\n"], 0, b"ab"),
    Answer("trailers that frame", [ok(TE), b"2\r\nab\r\n0\r\nContent-Length: 5\r\n\r\n"], 0, b"ab"),
    Answer("flood of trailers", [ok(TE), b"2\r\nab\r\n0\r\n" + b"A: b\r\n" * 1000 + b"\r\n"], 0, b"ab"),
    Answer("flood of extensions", [ok(TE), b"2\r\nab\r\n2;" + b"a" * 100_000 + b"\r\ncd\r\n0\r\n\r\n"], 0, b"ab"),
]

NEXT = b"GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@pytest.fixture
def recorder(shared_recorder: Recorder) -> Iterator[Recorder]:
    yield shared_recorder
    shared_recorder.answer = echo
    shared_recorder.take()


def ask(port: int, recorder: Recorder, answer: Answer, *, version: bytes = b"HTTP/1.1") -> tuple[bytes, bool]:
    """Send the request, then another one; return what came back for the first, and whether it ended in order."""

    def respond(request: Request) -> Sequence[bytes]:
        return answer.parts if request.target == b"/first" else echo(request)

    recorder.answer = respond
    first = b"%s /first %s\r\nHost: h\r\nConnection: close\r\n\r\n" % (answer.method, version)
    received = converse(port, [first])
    if answer.parts[-1] and answer.expected in (200, 204, 304) and len(answer.parts) > 1:
        # What comes when nothing was asked for ends the connection.
        eventually(lambda: not recorder.has_open_connections(), "the connection with surplus bytes to be closed")
    for _ in range(2):
        following = converse(port, [NEXT])
        [response] = read_responses(following.data, [b"GET"], is_closed=following.is_closed)
        assert (response.status, response.body) == (200, b"GET /next"), "the response to another request"
    return received.data, not received.is_reset


@pytest.mark.parametrize("answer", PASSED, ids=[answer.name for answer in PASSED])
def test_the_client_gets_the_response_and_nothing_that_follows_it(
    answer: Answer, shared_proxy: int, recorder: Recorder
) -> None:
    data, _ = ask(shared_proxy, recorder, answer)
    [response] = read_responses(data, [answer.method], is_closed=True)
    assert (response.status, response.body, response.is_whole) == (answer.expected, answer.body, True)
    assert {name for name, _ in response.trailers} <= {b"A"}


@pytest.mark.parametrize("answer", REFUSED, ids=[answer.name for answer in REFUSED])
def test_what_is_no_response_is_502(answer: Answer, shared_proxy: int, recorder: Recorder) -> None:
    data, _ = ask(shared_proxy, recorder, answer)
    [response] = read_responses(data, [answer.method], is_closed=True)
    assert response.status == 502
    assert response.values(b"x-dequeuer-reason") in ([b"upstream_malformed"], [b"upstream_broken"])


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
@pytest.mark.parametrize("answer", CUT, ids=[answer.name for answer in CUT])
def test_half_a_response_never_looks_whole(
    answer: Answer, version: bytes, shared_proxy: int, recorder: Recorder
) -> None:
    data, ended_in_order = ask(shared_proxy, recorder, answer, version=version)
    responses = read_responses(data, [answer.method], is_closed=ended_in_order)
    assert all(not response.is_whole for response in responses), data
    assert all(answer.body.startswith(response.body[: len(answer.body)]) for response in responses)
