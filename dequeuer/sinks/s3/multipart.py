"""Uploads in bounded memory: parts are buffered while there is room, otherwise streamed (passed through).

A buffered part can be sent again when S3 fails. A streamed part cannot, because the container sends its response once.
Buffering every part would need `workers` times 5 MiB, and while an upload waits for a buffer the write timeout of the
container runs. So uploads without a buffer continue unbuffered, with fewer retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from dequeuer.aws.signing import Fields
from dequeuer.concurrency.byte_budget import ByteBudget
from dequeuer.sinks.base import Check, unchecked
from dequeuer.sinks.s3.body import Body
from dequeuer.sinks.s3.bucket import Bucket
from dequeuer.sinks.s3.features import Features
from dequeuer.sinks.s3.parts import Aborts, check_uploads
from dequeuer.sinks.s3.retry import retry_upload_request
from dequeuer.sinks.s3.upload import Upload
from dequeuer.sinks.s3.writing import ObjectWriter

PART_BYTES: Final = 5 * 1024 * 1024
"""The minimum part size of S3, except for the last part."""
MAX_PARTS: Final = 10_000
BUFFER_BYTES: Final = PART_BYTES
"""For the buffered parts of all uploads: with more, 100 large responses at a time would need over 100 MiB."""
BUFFER_TIMEOUT_S: Final = 1.0
"""How long an upload waits for a buffer before it streams: far below the write timeout of any server."""


class Uploads:
    """Streams bodies into a bucket.

    Args:
        bucket: the bucket.
        features: what the store lacks.
        buffer_bytes: for the buffered parts of all uploads together.
    """

    def __init__(self, bucket: Bucket, features: Features, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._bucket = bucket
        self._features = features
        self._writer = ObjectWriter(bucket, features)
        self._buffers = ByteBudget(buffer_bytes)
        self._unknown_size_lock = asyncio.Lock()
        self._aborts = Aborts()

    async def send(
        self, key: str, chunks: AsyncIterator[bytes], fields: Fields, *, size: int | None, check: Check
    ) -> bool:
        """Write an object unless the key exists; return whether it was written.

        Args:
            key: of the object.
            chunks: its content.
            fields: its Content-Type.
            size: of the object, bytes; None: not known.
            check: called directly before the request that makes the object visible.

        Raises:
            Errors of `chunks` and `check`: nothing is written then.
            StoreDeniedError, StoreUnavailableError: the object may not have been written.
        """
        body = Body(chunks, size)
        upload = Upload(self._bucket, self._features, key, fields, check)
        try:
            first = await self._first_part(upload, body)
            if first is not None and await body.is_over():
                try:
                    return await retry_upload_request(lambda: self._writer.create(key, first, fields, check))
                finally:
                    self._buffers.release(PART_BYTES)
            if first is not None:
                await upload.send_buffered(first, self._release)
                del first
            await self._send_rest(upload, body)
            is_written = await upload.complete()
        except BaseException:
            self._aborts.start(upload)
            raise
        if not upload.is_completed:
            self._aborts.start(upload)
        return is_written

    async def check(self, key: str) -> None:
        """Create an upload and abort it. Raises `StoreDeniedError`, `StoreUnavailableError`."""
        await check_uploads(Upload(self._bucket, self._features, key, (), unchecked))

    async def _first_part(self, upload: Upload, body: Body) -> bytearray | None:
        """Take a buffer and return the first part of the body; None: no buffer was free in time."""
        part_bytes = _part_bytes(body.left)
        if part_bytes > PART_BYTES or not await self._buffers.take(PART_BYTES, BUFFER_TIMEOUT_S):
            return None
        try:
            return await body.part(PART_BYTES, upload.raise_failure)
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        self._buffers.release(PART_BYTES)

    async def _send_rest(self, upload: Upload, body: Body) -> None:
        part_bytes = _part_bytes(body.left)
        max_wait_s = BUFFER_TIMEOUT_S
        while not await body.is_over():
            upload.raise_failure()
            if part_bytes == PART_BYTES and await self._buffers.take(PART_BYTES, max_wait_s):
                max_wait_s = BUFFER_TIMEOUT_S
                try:
                    part = await body.part(part_bytes, upload.raise_failure)
                except BaseException:
                    self._release()
                    raise
                await upload.send_buffered(part, self._release)
                del part
            elif body.left is not None:
                max_wait_s = 0.0  # do not wait again: the waits for each part would add up
                length = min(part_bytes, body.left)
                async with aclosing(body.pieces(length)) as pieces:
                    await upload.send_streamed(pieces, length)
            else:
                await self._send_in_turn(upload, body)

    async def _send_in_turn(self, upload: Upload, body: Body) -> None:
        """Send a part of a body of unknown size. Its length has to be sent before it, so it must be buffered."""
        async with self._unknown_size_lock:
            part = await body.part(PART_BYTES, upload.raise_failure)
            sent = asyncio.Event()
            await upload.send_buffered(part, sent.set)
            await sent.wait()

    async def close(self) -> None:
        """Wait for running aborts; see `Aborts.close`."""
        await self._aborts.close()


def _part_bytes(size: int | None) -> int:
    """Return the part size with which an object of `size` bytes has at most `MAX_PARTS` parts."""
    return max(PART_BYTES, -(-(size or 0) // MAX_PARTS))
