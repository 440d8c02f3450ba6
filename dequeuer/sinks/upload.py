"""Feeding a multipart upload from a stream that may fail or be cancelled, leaving no half upload behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

PART_BYTES = 5 * 1024 * 1024
"""The smallest part that S3 takes. The client holds two: one that fills, one on its way."""
PIECE_BYTES = 256 * 1024
"""What is handed to the client at a time: it gathers the parts, so that they are not held twice."""
ABORT_TIMEOUT_S = 5.0


class _AbortedError(Exception):
    """Thrown into the upload, which then aborts it at the store."""


async def upload_stream(body: AsyncIterator[bytes], start: Callable[[AsyncIterator[bytes]], Awaitable[object]]) -> None:
    """Run `start(pieces)` while reading `body`.

    The body is read by the caller's own task, so its cancellation and time-outs reach the reader.
    Cancelling the upload itself would leave its parts at the store, paid for and invisible: it is
    ended by an error in its input instead, which makes the client abort it.

    Raises:
        Whatever `body` raises, or else what the upload raises.
    """
    handover: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
    broken = False

    async def pieces() -> AsyncIterator[bytes]:
        while (piece := await handover.get()) is not None:
            yield piece
        if broken:
            raise _AbortedError

    upload: asyncio.Future[object] = asyncio.ensure_future(start(pieces()))
    try:
        async for piece in _in_pieces(body):
            await _put_unless_done(handover, piece, upload)
        await _put_unless_done(handover, None, upload)
        await asyncio.shield(upload)
    except BaseException:
        broken = True
        if not upload.done():
            if handover.full():
                handover.get_nowait()
            handover.put_nowait(None)
            await asyncio.wait({upload}, timeout=ABORT_TIMEOUT_S)
        if upload.done() and not upload.cancelled():
            upload.exception()
        raise


async def _put_unless_done(
    handover: asyncio.Queue[bytes | None], piece: bytes | None, upload: asyncio.Future[object]
) -> None:
    """Hand a piece over, or raise what ended the upload: a reader that is gone would block for ever."""
    putting = asyncio.ensure_future(handover.put(piece))
    try:
        await asyncio.wait((putting, upload), return_when=asyncio.FIRST_COMPLETED)
        if upload.done():
            await upload
    finally:
        putting.cancel()


async def _in_pieces(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    buffer = bytearray()
    async for chunk in body:
        buffer += chunk
        if len(buffer) >= PIECE_BYTES:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)
