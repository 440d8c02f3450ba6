"""The body of a response that is to be stored: of a bounded size, read piece by piece, in bounded memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from dequeuer.concurrency.byte_budget import ByteBudget
from dequeuer.core.errors import InvalidResponseError
from dequeuer.formats.json_text import JsonValidator
from dequeuer.handlers.base import Response

MAX_SMALL_BYTES: Final = 64 * 1024
"""Responses up to this size take no room in the buffers."""
MAX_BUFFERED_BYTES: Final = 1024 * 1024
"""Responses up to this size are buffered while there is room, and written with one request, which can be repeated."""
TOTAL_BUFFER_BYTES: Final = 6 * MAX_BUFFERED_BYTES
"""For all responses that are buffered at the same time."""
BUFFER_WAIT_TIMEOUT_S: Final = 1.0
"""How long a response waits for room in the buffers, seconds: far below the write timeout of any web server."""


async def json_chunks(response: Response, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body while it is checked. Raises `InvalidResponseError`, and the errors of `Response.chunks`."""
    check_size(response.size or 0, max_bytes)
    validator = JsonValidator()
    size = 0
    async for chunk in response.chunks():
        size += len(chunk)
        check_size(size, max_bytes)
        validator.feed(chunk)
        yield chunk
    validator.close()


def check_size(size: int, max_bytes: int) -> None:
    """Raise `InvalidResponseError` when a body is too large."""
    if size > max_bytes:
        raise InvalidResponseError(f"the response is larger than DEQUEUER_MAX_RESULT_BYTES ({max_bytes} bytes)")


async def fill(buffer: bytearray, body: AsyncIterator[bytes], limit: int) -> bool:
    """Read until the buffer has more than `limit` bytes (False), or the body has ended (True)."""
    while len(buffer) <= limit:
        try:
            buffer += await anext(body)
        except StopAsyncIteration:
            return True
    return False


async def store_large(  # noqa: PLR0913, PLR0917 - what is read, how much of it, and where it goes
    head: bytearray,
    body: AsyncIterator[bytes],
    size: int | None,
    buffers: ByteBudget,
    put: Callable[[bytes], Awaitable[None]],
    put_stream: Callable[[AsyncIterator[bytes], int | None], Awaitable[None]],
) -> None:
    """Store a body of which `fill` has read the beginning: in one write while there is room for it, else as a stream.

    `size`: of the whole body; None: unknown.
    """
    share = MAX_BUFFERED_BYTES if size is None else size
    if share > MAX_BUFFERED_BYTES or not await buffers.take(share, BUFFER_WAIT_TIMEOUT_S):
        await put_stream(_joined(head, body), size)
        return
    try:
        if await fill(head, body, share):
            await put(bytes(head))
        else:
            # The room stays taken: the upload takes over the buffered bytes gradually.
            await put_stream(_joined(head, body), size)
    finally:
        buffers.release(share)


async def _joined(head: bytearray, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield bytes(head)
    head.clear()
    async for chunk in body:
        yield chunk
