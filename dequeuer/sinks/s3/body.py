"""A body that is cut into parts while it is read: whole ones that are kept, or pieces that are passed on."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from hashlib import md5
from typing import Final

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.sinks.s3.checksum import CRC32, encoded_crc32

CHUNK_BYTES: Final = 16 * 1024
"""Of the coding of a streamed part: its length has to be known ahead, so all chunks but the last have this size."""
TRAILER: Final = (("content-encoding", "aws-chunked"), ("x-amz-trailer", CRC32))
TRAILER_HASH: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
"""The body is not in the signature: it is not known yet. Its checksum follows it."""
NO_HASH: Final = "UNSIGNED-PAYLOAD"


class Body:
    """A stream of bytes that is read once.

    Args:
        chunks: its errors are raised as they are.
        size: bytes in all; None: not known.
    """

    def __init__(self, chunks: AsyncIterator[bytes], size: int | None) -> None:
        self._chunks = chunks
        self._ahead = b""
        self._has_ended = False
        self.left = size
        """Bytes that are still to be read; None: not known."""

    async def is_over(self) -> bool:
        """Tell whether all was read. Raises `StoreUnavailableError` when it is not as long as it was said to be."""
        if not self._ahead:
            self._ahead = await self._next()
        if self._ahead and self.left == 0:
            raise StoreUnavailableError("the body is longer than it was said to be")
        if not self._ahead and self.left:
            raise StoreUnavailableError("the body is shorter than it was said to be")
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
        """Yield the next `limit` bytes; fewer if it ends before, and its size was not known.

        Raises:
            StoreUnavailableError: it is shorter than it was said to be.
        """
        while limit > 0:
            piece = await self._next()
            if not piece:
                if self.left:
                    raise StoreUnavailableError("the body is shorter than it was said to be")
                return
            if len(piece) > limit:
                self._ahead, piece = piece[limit:], piece[:limit]
            limit -= len(piece)
            if self.left is not None:
                self.left -= len(piece)
            yield piece

    async def part(self, limit: int, watch: Callable[[], None]) -> bytearray:
        """Return the next `limit` bytes, or what is left. `watch` is called after each piece; its errors end this."""
        part = bytearray()
        async for piece in self.pieces(limit):
            part += piece
            watch()
        return part  # not as bytes: that would be a copy, and twice the memory


class ChecksummedStream:
    """Pieces that pass, and their checksums."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.is_untouched = True
        """Whether nothing has passed yet."""
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
        """As S3 writes it."""
        return encoded_crc32(self._crc)

    @property
    def e_tag(self) -> str:
        """What S3 calls an unencrypted object or part with these bytes."""
        return self._md5.hexdigest()


async def in_chunks(body: ChecksummedStream) -> AsyncIterator[bytes]:
    """Yield a body in the coding `aws-chunked`, its checksum at the end."""
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
    """Return how many bytes `in_chunks` makes of `length`."""
    whole, rest = divmod(length, CHUNK_BYTES)
    framed = whole * (CHUNK_BYTES + len(f"{CHUNK_BYTES:x}") + 4) + (rest + len(f"{rest:x}") + 4 if rest else 0)
    return framed + len(f"0\r\n{CRC32}:\r\n\r\n") + len(b64encode(bytes(4)))
