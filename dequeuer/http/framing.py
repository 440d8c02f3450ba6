"""Where the body of an HTTP/1.1 message ends, whichever way it is delimited. One reader reads one body."""

from __future__ import annotations

from typing import Final, Protocol

import httptools

from dequeuer.http.errors import MalformedError

MAX_TRAILERS: Final = 64
"""Fields after the last chunk."""
MAX_CHUNK_EXCESS_BYTES: Final = 16 * 1024
"""Chunk extensions, sizes and trailers of one body, beyond `_CHUNK_ALLOWANCE_BYTES` for each chunk and twice its data:
without a limit, a byte of body could cost any number of bytes of framing."""
_CHUNK_ALLOWANCE_BYTES: Final = 16
# The chunks of requests and of responses have one syntax, so the parser of requests reads both.
_CHUNKED_PRELUDE: Final = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
_END: Final = b"\r\n\r\n"
MAX_LENGTH: Final = 2**63 - 1
"""Of a body. Above it, a server that keeps the length in a signed number would read another one."""

Trailers = list[tuple[bytes, bytes]]
"""Names and values, as they were sent."""
_NO_TRAILERS: Final[Trailers] = []


class BodyReader(Protocol):
    """Reads one body.

    Attributes:
        is_done: the body has ended.
        trailers: the fields after it; complete when `is_done`.
    """

    is_done: bool
    trailers: Trailers

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """Take what has arrived; return the part of the body in it, and how many bytes of `data` the message has.

        The rest belongs to the next message. Raises `MalformedError`.
        """


class NoBody:
    """`BodyReader` of a message without a body."""

    is_done = True
    trailers = _NO_TRAILERS

    def feed(self, _data: bytes) -> tuple[bytes, int]:
        """Return that nothing belongs to the message."""
        return b"", 0


class LengthBody:
    """`BodyReader` of a body with a Content-Length."""

    __slots__ = ("is_done", "left", "trailers")

    def __init__(self, length: int) -> None:
        self.left = length
        self.is_done = length == 0
        self.trailers = _NO_TRAILERS

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """Take at most as many bytes as are missing."""
        size = len(data)
        if size < self.left:
            self.left -= size
            return data, size
        used, self.left, self.is_done = self.left, 0, True
        return (data if used == size else data[:used]), used


class UntilCloseBody:
    """`BodyReader` of a response without a length: it ends with the connection. The connection sets `is_done`."""

    __slots__ = ("is_done", "trailers")

    def __init__(self) -> None:
        self.is_done = False
        self.trailers = _NO_TRAILERS

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """Take everything."""
        return data, len(data)


class ChunkedBody:
    """`BodyReader` of a chunked body, read by llhttp without any of its leniencies."""

    __slots__ = ("_excess", "_head_seen", "_parser", "_pieces", "_tail", "is_done", "trailers")

    def __init__(self) -> None:
        self.is_done = False
        self.trailers: Trailers = []
        self._pieces: list[bytes] = []
        self._excess = 0
        self._tail = b""
        self._head_seen = False
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._parser.feed_data(_CHUNKED_PRELUDE)

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """Decode what has arrived."""
        used = 0
        while not self.is_done and used < len(data):
            used = self._feed_until_possible_end(data, used)
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._excess = max(0, self._excess + used - 3 * len(body))
        if self._excess > MAX_CHUNK_EXCESS_BYTES or len(self.trailers) > MAX_TRAILERS:
            raise MalformedError("a chunked body with too much framing")
        if self.is_done:
            # The parser refers to methods of this object: the cycle would stay until the garbage collector runs.
            self._parser = None
        return body, used

    def _feed_until_possible_end(self, data: bytes, start: int) -> int:
        """Feed at most up to the next empty line, and return its end.

        A chunked body ends with an empty line. The parser does not say at which byte it ended, and would go on with the
        next message.
        """
        tail = self._tail if start == 0 else b""
        found = (tail + data[:3]).find(_END) if tail else -1
        if found >= 0:
            end = found + len(_END) - len(tail)
        else:
            found = data.find(_END, start)
            end = len(data) if found < 0 else found + len(_END)
        if self._parser is None:
            raise MalformedError("bytes after the end of a body")
        try:
            self._parser.feed_data(data[start:end] if start or end < len(data) else data)
        except httptools.HttpParserError as error:
            raise MalformedError("a chunked body that is not valid") from error
        self._tail = data[-3:] if len(data) >= 3 else (self._tail + data)[-3:]
        return end

    # Callbacks of the parser.

    def on_headers_complete(self) -> None:
        """The prelude is over: the fields that follow are trailers."""
        self._head_seen = True

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._excess -= _CHUNK_ALLOWANCE_BYTES

    def on_body(self, piece: bytes) -> None:
        """Take data of a chunk."""
        self._pieces.append(piece)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a trailer."""
        if self._head_seen:
            self.trailers.append((name, value.strip(b" \t")))

    def on_message_complete(self) -> None:
        """The body has ended."""
        self.is_done = True


def find_head_end(buffer: bytes | bytearray, start: int) -> int:
    """Return the index after the empty line that ends a head; 0 when it has not arrived.

    `start`: where to begin; bytes before it were searched already.
    """
    found = buffer.find(_END, max(0, start - len(_END) + 1))
    return 0 if found < 0 else found + len(_END)
