"""The request payload as it is received: its size is bounded and counted, its beginning can be buffered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from dequeuer.gateway.errors import PayloadTooLargeError

MAX_BUFFERED_BYTES: Final = 256 * 1024
"""A payload up to this size is read completely before anything is written, so that writing it can be retried."""


class BoundedBody:
    """A payload of bounded size. `size` is the number of bytes read so far.

    Iterating raises `PayloadTooLargeError` as soon as more than `limit` bytes have been read.
    """

    def __init__(self, chunks: AsyncIterator[bytes], limit: int) -> None:
        self._chunks = chunks
        self._limit = limit
        self.size = 0

    def __aiter__(self) -> BoundedBody:
        return self

    async def __anext__(self) -> bytes:
        chunk = await anext(self._chunks)
        self.size += len(chunk)
        if self.size > self._limit:
            raise payload_too_large(self._limit)
        return chunk

    async def read_beginning(self, min_bytes: int) -> tuple[bytes, bool]:
        """Read chunks until there are `min_bytes`; return them, and whether the payload has ended."""
        beginning = bytearray()
        while len(beginning) < min_bytes:
            try:
                beginning += await anext(self)
            except StopAsyncIteration:
                return bytes(beginning), True
        return bytes(beginning), False


async def prepend(beginning: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield `beginning`, then the chunks of `rest`."""
    yield beginning
    async for chunk in rest:
        yield chunk


def payload_too_large(limit: int) -> PayloadTooLargeError:
    """Return the error for a payload of more than `limit` bytes."""
    return PayloadTooLargeError(
        f"the payload is larger than the {limit} bytes allowed: send a smaller one, or a reference to it, "
        "or raise DEQUEUER_MAX_PAYLOAD_BYTES of the gateway"
    )
