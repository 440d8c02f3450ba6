"""A small part of HTTP/1.1 for correct clients: keep-alive, Content-Length, bodies of any size."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TypeAlias, cast

KEPT_BYTES = 1024 * 1024
"""A larger body is counted and discarded as it arrives."""
_BLOCK = b"x" * (256 * 1024)
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_EXPECT = re.compile(rb"(?i)\r\nexpect: *100-continue")
_CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding:")
_WITHOUT_BODY = frozenset({b"GET", b"HEAD", b"DELETE"})


class Request:
    """A complete request. `body` is empty when it was too large to keep. Call `answer` once, at any time.

    `delay_s`: how much later the response is sent, as if the server were that far away.
    """

    __slots__ = ("_connection", "_left", "_pieces", "body", "delay_s", "head", "method", "target")

    def __init__(self, connection: Connection, head: bytes) -> None:
        self.method, self.target, _ = head[: head.find(b"\r\n")].split(b" ", 2)
        self.head = head
        self.body = b""
        self.delay_s = 0.0
        self._connection = connection
        self._left = 0
        self._pieces: list[bytes] | None = []

    def expect(self, size: int) -> None:
        """Set the size of the body."""
        self._left = size
        if size > KEPT_BYTES:
            self._pieces = None

    def take(self, data: bytes) -> bytes | None:
        """Add data to the body. Return what follows the body, or None while the body is not complete."""
        mine, rest = data[: self._left], data[self._left :]
        self._left -= len(mine)
        if self._pieces is not None:
            self._pieces.append(mine)
        if self._left:
            return None
        self.body = b"".join(self._pieces or ())
        return rest

    def answer(self, data: bytes, filler: int = 0, end: bytes = b"") -> None:
        """Send `data`, then `filler` bytes, then `end`."""
        if self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, self._connection.send, data, filler, end)
        else:
            self._connection.send(data, filler, end)


Serve: TypeAlias = Callable[[Request], None]


def head(status: str, size: int, *fields: str) -> bytes:
    """Return the head of a response, with the headers that AWS always sends."""
    lines = [
        f"HTTP/1.1 {status}",
        "x-amz-id-2: q0pPzZ5Y1cVdK7w3xN9bT2mLr8uHfJ4sGkAeXyWvUtSrQpOnMlKjIhGfEdCbA9876543210zyxw=",
        "x-amz-request-id: 4442587FB7D0A2F9",
        "Date: Fri, 20 Nov 2026 10:00:00 GMT",
        *fields,
        f"Content-Length: {size}",
        "Server: canned",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def whole(status: str, body: bytes, *fields: str) -> bytes:
    """Return a complete response."""
    return head(status, len(body), *fields) + body


class Connection(asyncio.Protocol):
    """One connection of a client; its requests are served one after another."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._request: Request | None = None
        self._filler = 0
        self._end = b""
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the interface
        """Discard what is not sent yet."""
        self._transport = None
        self._filler = 0

    def data_received(self, data: bytes) -> None:
        """Serve each complete request."""
        rest: bytes | None = data
        while rest is not None:
            if self._request is None:
                if not (rest := self._buffer + rest):
                    return
                self._buffer = b""
                end = rest.find(b"\r\n\r\n")
                if end < 0:
                    self._buffer = rest
                    return
                self._request = self._begin(rest[:end])
                rest = rest[end + 4 :]
            request = self._request
            rest = request.take(rest)
            if rest is not None:
                self._request = None
                self._serve(request)

    def _begin(self, first: bytes) -> Request:
        request = Request(self, first)
        if request.method not in _WITHOUT_BODY:
            if length := _LENGTH.search(first):
                request.expect(int(length[1]))
            elif _CHUNKED.search(first):
                # No measured client sends chunks. They are refused, because this server would misread them.
                self.send(whole("411 Length Required", b""), 0, b"")
            if _EXPECT.search(first):
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n", 0, b"")
        return request

    def send(self, data: bytes, filler: int, end: bytes) -> None:
        """Send as fast as the client reads."""
        if self._transport is None:
            return
        self._transport.write(data)
        if filler or end:
            self._filler, self._end = filler, end
            self._fill()

    def pause_writing(self) -> None:
        """Stop sending: the client reads slowly."""
        self._paused = True

    def resume_writing(self) -> None:
        """Continue to send."""
        self._paused = False
        if self._filler or self._end:
            self._fill()

    def _fill(self) -> None:
        while self._filler and not self._paused and self._transport is not None:
            block = _BLOCK[: self._filler]
            self._filler -= len(block)
            self._transport.write(block)
        if not self._filler and self._transport is not None:
            end, self._end = self._end, b""
            self._transport.write(end)
