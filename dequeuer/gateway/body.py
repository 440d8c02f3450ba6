"""The payload on its way in: measured while it passes, small ones told from big ones."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dequeuer.gateway.errors import PayloadTooLargeError


class Measured:
    """A body of bounded size. `size` counts what has passed, in bytes.

    Iterating raises `PayloadTooLargeError` as soon as more than `limit` bytes have come.
    """

    def __init__(self, chunks: AsyncIterator[bytes], limit: int) -> None:
        self._chunks = chunks
        self._limit = limit
        self.size = 0

    def __aiter__(self) -> Measured:
        return self

    async def __anext__(self) -> bytes:
        chunk = await anext(self._chunks)
        self.size += len(chunk)
        if self.size > self._limit:
            raise too_large(self._limit)
        return chunk

    async def start(self, at_least: int) -> tuple[bytes, bool]:
        """Read up to `at_least` bytes or a chunk more; also tell whether that was all."""
        begin = bytearray()
        while len(begin) < at_least:
            try:
                begin += await anext(self)
            except StopAsyncIteration:
                return bytes(begin), True
        return bytes(begin), False


async def prepend(begin: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield `begin`, then the rest."""
    yield begin
    async for chunk in rest:
        yield chunk


def too_large(limit: int) -> PayloadTooLargeError:
    """Return the error for a payload of more than `limit` bytes."""
    return PayloadTooLargeError(
        f"the payload is larger than the {limit} bytes allowed: send a smaller one, or a reference to it, "
        "or raise DEQUEUER_MAX_PAYLOAD_BYTES of the gateway"
    )
