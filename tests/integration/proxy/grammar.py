"""Requests for the fuzzer: grown from the grammar, then mutated, then split at any borders."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from tests.integration.proxy.corpus import CASES

METHODS = [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH", b"BREW", b"TRACE", b"get", b"CONNECT"]
TARGETS = [
    b"/",
    b"/a",
    b"/a/../b",
    b"//h/a",
    b"/a?b=c&d",
    b"/%2F%00",
    b"http://h/a",
    b"http://evil/a",
    b"*",
    b"h:80",
    b"/a#b",
    b"/a;b",
]
VERSIONS = [b"HTTP/1.1"] * 20 + [b"HTTP/1.0", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0"]
FIELDS = [
    *(b"A: b", b"A:", b"A: b\tc", b"a-b: \xe9", b"Accept: */*", b"Cookie: a=b; c=d", b"Content-Type: text/plain"),
    *(b"Connection: keep-alive", b"Connection: close", b"Connection: A", b"Connection: Upgrade", b"Connection: X-Forwarded-For"),
    *(b"Upgrade: websocket", b"Upgrade: h2c", b"Expect: 100-continue", b"TE: trailers", b"Trailer: A", b"Keep-Alive: timeout=5"),
    *(b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-Host: evil", b"Forwarded: for=1.2.3.4", b"traceparent: 00-0-0-0", b"my_name: b"),
    *(b"Host: evil", b"Content-Length: 0", b"Content-Length: 5", b"Content_Length: 5", b"Transfer-Encoding: identity"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x, chunked", b"Content-Length : 5", b" folded", b"User-Agent: kube-probe/1"),
]  # fmt: skip
PIECES = [
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b"\x0b", b"\x0c", b"\x7f", b"\x85", b"\xa0", b"\xff", b":", b";", b",", b'"', b"=", b"0"),
    *(b"\r\n\r\n", b"\n\n", b"\r\r", b"0\r\n\r\n", b"0\r\n", b"+", b"-", b"_", b"0x", b"#", b"\\", b"1;a=b\r\n", b"Host: h\r\n"),
    *(b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b" HTTP/1.1"),
]  # fmt: skip

_ATTACKS = [case.data for case in CASES if len(case.data) < 2000]
_CONTENT = st.binary(max_size=24) | st.sampled_from(
    [b"0\r\n\r\n", b"\r\n\r\n", b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"]
)


@dataclass(frozen=True, slots=True)
class Attack:
    """What one client sends, and where its writes end."""

    data: bytes
    borders: tuple[int, ...]

    @property
    def pieces(self) -> list[bytes]:
        """The writes."""
        ends = [0, *sorted({border % (len(self.data) + 1) for border in self.borders}), len(self.data)]
        return [self.data[begin:end] for begin, end in pairwise(ends) if begin < end]


@st.composite
def _chunked(draw: st.DrawFn) -> bytes:
    body = b""
    for content in draw(st.lists(_CONTENT.filter(bool), max_size=3)):
        extension = draw(st.sampled_from([b""] * 6 + [b";a", b";a=b", b';a="b c"']))
        body += b"%x%s\r\n%s\r\n" % (len(content), extension, content)
    trailers = draw(
        st.lists(st.sampled_from([b"A: b\r\n", b"B:\r\n", b"Content-Length: 3\r\n", b"Host: x\r\n"]), max_size=2)
    )
    return body + b"0\r\n" + b"".join(trailers) + b"\r\n"


@st.composite
def _request(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(METHODS[:8]) | st.sampled_from(METHODS[:8]) | st.sampled_from(METHODS))
    target = draw(st.sampled_from(TARGETS[:7]) | st.sampled_from(TARGETS[:7]) | st.sampled_from(TARGETS))
    fields = draw(st.lists(st.sampled_from(FIELDS[:24]), max_size=4))
    if not draw(st.integers(0, 3)):
        fields.append(draw(st.sampled_from(FIELDS)))
    if draw(st.integers(0, 30)):
        fields.insert(draw(st.integers(0, len(fields))), b"Host: h")
    framing = draw(st.sampled_from(["none", "none", "length", "chunked"]))
    body = b""
    if framing == "length":
        body = draw(_CONTENT)
        fields.insert(draw(st.integers(0, len(fields))), b"Content-Length: %d" % len(body))
    elif framing == "chunked":
        body = draw(_chunked())
        fields.insert(draw(st.integers(0, len(fields))), b"Transfer-Encoding: chunked")
    line = b" ".join([method, target, draw(st.sampled_from(VERSIONS))])
    return b"\r\n".join([line, *fields, b"", body])


@st.composite
def _mutated(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    kind = draw(st.sampled_from(["insert", "insert", "replace", "delete", "repeat", "line end", "digit", "case"]))
    piece = draw(st.sampled_from(PIECES))
    before, after = data[:at], data[at:]
    if kind == "insert":
        after = piece + after
    elif kind == "replace":
        after = piece + after[len(piece) :]
    elif kind == "delete":
        after = after[draw(st.integers(1, 12)) :]
    elif kind == "repeat":
        after = before[-draw(st.integers(1, 40)) :] + after
    elif kind == "line end":
        after = after.replace(b"\r\n", draw(st.sampled_from([b"\n", b"\r", b"\r\r\n", b"\n\r", b" \r\n", b"\r\n "])), 1)
    elif kind == "digit":
        after = bytes(byte ^ 1 if 0x30 <= byte <= 0x39 else byte for byte in after[:20]) + after[20:]
    else:
        after = after[:12].swapcase() + after[12:]
    return before + after


@st.composite
def attacks(draw: st.DrawFn) -> Attack:
    """Return a client that sends one to four requests, most of them with something wrong."""
    requests = draw(st.lists(_request() | _request() | _request() | st.sampled_from(_ATTACKS), min_size=1, max_size=4))
    data = b"".join(requests)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2, 3]))):
        data = draw(_mutated(data))
    borders = draw(st.lists(st.integers(0, 2**16), max_size=3))
    return Attack(data, tuple(borders))


STATUSES = [b"200 OK"] * 12 + [
    b"204 No Content",
    b"304 Not Modified",
    b"404 Not Found",
    b"500 Error",
    b"101 Switching Protocols",
    b"200",
]
RESPONSE_FIELDS = [
    *(b"A: b", b"A:", b"Content-Type: text/plain", b"Connection: close", b"Connection: keep-alive", b"Connection: A"),
    *(b"Set-Cookie: a=b", b"Keep-Alive: timeout=5", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Upgrade: h2c", b"A : b"),
]  # fmt: skip
INTERIM = [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]


@st.composite
def answers(draw: st.DrawFn) -> Attack:
    """Return what a container sends, most of it with something wrong."""
    fields = draw(st.lists(st.sampled_from(RESPONSE_FIELDS[:8]), max_size=3))
    if not draw(st.integers(0, 4)):
        fields.append(draw(st.sampled_from(RESPONSE_FIELDS)))
    framing = draw(st.sampled_from(["none", "length", "length", "chunked", "chunked"]))
    body = draw(_CONTENT)
    if framing == "length":
        fields.insert(draw(st.integers(0, len(fields))), b"Content-Length: %d" % len(body))
    elif framing == "chunked":
        body = draw(_chunked())
        fields.insert(draw(st.integers(0, len(fields))), b"Transfer-Encoding: chunked")
    version = draw(st.sampled_from([b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/2.0"]))
    head = b"\r\n".join([version + b" " + draw(st.sampled_from(STATUSES)), *fields, b"", b""])
    data = b"".join(draw(st.lists(st.sampled_from(INTERIM), max_size=1))) + head + body
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        data = draw(_mutated(data))
    if not draw(st.integers(0, 5)):  # half a body: what has come is passed on, then the client is cut off
        data = data[: -draw(st.integers(1, 8))]
    else:
        data += draw(st.sampled_from([b"", b"", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\ninjected"]))
    return Attack(data, tuple(draw(st.lists(st.integers(0, 2**16), max_size=1))))
