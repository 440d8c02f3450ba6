"""The body of an upload: cut into parts while it is read, buffered or streamed."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from hashlib import md5
from typing import Final

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.sinks.s3.checksum import CRC32, encoded_crc32

CHUNK_BYTES: Final = 16 * 1024
"""Chunk size of the coding `aws-chunked`. Only the last chunk is shorter, so that the coded length is known before."""
TRAILER: Final = (("content-encoding", "aws-chunked"), ("x-amz-trailer", CRC32))
TRAILER_HASH: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
"""Hash in the signature of a streamed body, which is not known yet. Its checksum follows in a trailer."""
NO_HASH: Final = "UNSIGNED-PAYLOAD"


class Body:
    """A stream of bytes that is read once.

    Args:
        chunks: its errors are raised unchanged.
        size: of the whole stream, bytes; None: not known.
    """

    def __init__(self, chunks: AsyncIterator[bytes], size: int | None) -> None:
        self._chunks = chunks
        self._ahead = b""
        self._has_ended = False
        self.left = size
        """Bytes that are not read yet; None: not known."""

    async def is_over(self) -> bool:
        """Return whether all was read. Raises `StoreUnavailableError` when the length is not `size`."""
        if not self._ahead:
            self._ahead = await self._next()
        if self._ahead and self.left == 0:
            raise StoreUnavailableError("the body is longer than its announced length")
        if not self._ahead and self.left:
            raise StoreUnavailableError("the body is shorter than its announced length")
        return not self._ahead

    async def _next(self) -> bytes:
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            return ahead
        while not self._has_ended:
            try:
                if chunk := await anext(self._chunks):
                    return chunk
            except StopAsyncIteration:
                self._has_ended = True
        return b""

    async def pieces(self, limit: int) -> AsyncGenerator[bytes, None]:
        """Yield the next `limit` bytes; fewer if the body ends before and its size was not known.

        Raises:
            StoreUnavailableError: it is shorter than its announced length.
        """
        while limit > 0:
            piece = await self._next()
            if not piece:
                if self.left:
                    raise StoreUnavailableError("the body is shorter than its announced length")
                return
            if len(piece) > limit:
                self._ahead, piece = piece[limit:], piece[:limit]
            limit -= len(piece)
            if self.left is not None:
                self.left -= len(piece)
            yield piece

    async def part(self, limit: int, check: Callable[[], None]) -> bytearray:
        """Return the next `limit` bytes, or the rest. `check` is called after each piece; its errors are raised."""
        part = bytearray()
        async for piece in self.pieces(limit):
            part += piece
            check()
        return part  # no conversion to bytes: the copy would double the memory


class ChecksummedStream:
    """Passes pieces on and calculates their checksums."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.is_untouched = True
        """Whether nothing was read yet."""
        self._crc = 0
        self._md5 = md5(usedforsecurity=False)

    def __aiter__(self) -> ChecksummedStream:
        return self

    async def __anext__(self) -> bytes:
        self.is_untouched = False
        piece = await anext(self._pieces)
        self._crc = zlib.crc32(piece, self._crc)
        self._md5.update(piece)
        return piece

    @property
    def crc32(self) -> str:
        """CRC-32 of the pieces so far, as S3 writes it."""
        return encoded_crc32(self._crc)

    @property
    def e_tag(self) -> str:
        """The ETag that S3 gives to an unencrypted object or part with these bytes."""
        return self._md5.hexdigest()


async def in_chunks(body: ChecksummedStream) -> AsyncIterator[bytes]:
    """Yield a body in the coding `aws-chunked`, with its checksum as the trailer."""
    chunk = bytearray()
    async for piece in body:
        chunk += piece
        while len(chunk) >= CHUNK_BYTES:
            yield _framed(bytes(chunk[:CHUNK_BYTES]))
            del chunk[:CHUNK_BYTES]
    if chunk:
        yield _framed(bytes(chunk))
    yield f"0\r\n{CRC32}:{body.crc32}\r\n\r\n".encode()


def _framed(chunk: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(chunk), chunk)


def length_in_chunks(length: int) -> int:
    """Return the number of bytes that `in_chunks` yields for a body of `length` bytes."""
    whole, rest = divmod(length, CHUNK_BYTES)
    framed = whole * (CHUNK_BYTES + len(f"{CHUNK_BYTES:x}") + 4) + (rest + len(f"{rest:x}") + 4 if rest else 0)
    return framed + len(f"0\r\n{CRC32}:\r\n\r\n") + len(b64encode(bytes(4)))
