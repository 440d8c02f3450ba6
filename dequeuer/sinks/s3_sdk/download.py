"""Downloads over the SDK's client, resumed after a broken connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime
from typing import Any

from dequeuer.core import clock
from dequeuer.core.errors import StoreUnavailableError
from dequeuer.core.events import StoreOp
from dequeuer.core.retry import retry_until_available
from dequeuer.sinks.base import Payload, SingleChunk
from dequeuer.sinks.s3.checksum import verifier_of
from dequeuer.sinks.s3.content_type import UNTYPED
from dequeuer.sinks.s3.download import MAX_BUFFERED_OBJECT_BYTES, NO_PROGRESS_BACKOFF, Report
from dequeuer.sinks.s3.errors import STORE_ERRORS
from dequeuer.sinks.s3_sdk.bucket import SdkBucket, SdkResponse
from dequeuer.sinks.s3_sdk.errors import SDK_ERRORS, translated

CHUNK_BYTES = 64 * 1024
_OP: StoreOp = "get"


class Downloads:
    """Reads the objects of a bucket.

    Args:
        bucket: the bucket.
        report: called for every request after the first one of an object.
    """

    def __init__(self, bucket: SdkBucket, report: Report) -> None:
        self._bucket = bucket
        self._report = report

    async def open(self, key: str) -> Payload:
        """Open an object. Raises `StoreMissingError`, `StoreDeniedError`, `StoreUnavailableError`."""
        response = await self._get(key)
        size, modified = response.get("ContentLength"), response.get("LastModified")
        if not isinstance(size, int) or not isinstance(modified, datetime):
            response["Body"].close()
            raise StoreUnavailableError("the response of S3 has no size or no date of the object")
        chunks: AsyncIterator[bytes] = self._stream(key, response, size)
        # Started here: the event loop closes a dropped generator only after it was started, and that closes the
        # connection.
        await anext(chunks)
        if size <= MAX_BUFFERED_OBJECT_BYTES:
            # Read now, so that the connection is free before the request to the container.
            chunks = SingleChunk(b"".join([chunk async for chunk in chunks]))
        content_type = response.get("ContentType")
        return Payload(
            size=size,
            content_type=None if content_type == UNTYPED else content_type,
            chunks=chunks,
            modified_at=modified.timestamp(),
        )

    async def _get(self, key: str, **parameters: Any) -> SdkResponse:
        response = await self._bucket.call("get_object", Key=key, **parameters)
        if response is None:
            raise StoreUnavailableError("the response of S3 has no object")
        return response

    async def _stream(self, key: str, first: SdkResponse, size: int) -> AsyncGenerator[bytes, None]:
        e_tag, at = first.get("ETag"), 0
        checked = verifier_of(first.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get)
        body: Any = first["Body"]
        try:
            yield b""
            while True:
                start = at
                try:
                    while at < size and (chunk := await body.read(CHUNK_BYTES)):
                        at += len(chunk)
                        if at > size:
                            raise StoreUnavailableError("S3 sent another number of bytes than announced")
                        checked.update(chunk)
                        if at == size:
                            checked.check()
                        yield chunk
                except SDK_ERRORS as error:
                    self._report(_OP, None, translated(error))
                if at >= size:
                    return
                body.close()
                if at == start:
                    await asyncio.sleep(NO_PROGRESS_BACKOFF.pause_s(0))
                body = await retry_until_available(StoreUnavailableError, self._reopen, key, at, size, e_tag)
        finally:
            body.close()

    async def _reopen(self, key: str, at: int, size: int, e_tag: str | None) -> Any:
        started = clock.monotonic()
        # Without If-Match, an object that was replaced meanwhile would be joined to the first part of the old one.
        same = {"IfMatch": e_tag} if e_tag else {}
        try:
            response = await self._get(key, Range=f"bytes={at}-", **same)
            if response.get("ContentRange") != f"bytes {at}-{size - 1}/{size}":
                response["Body"].close()
                raise StoreUnavailableError("S3 sent another range of the object than requested")
        except STORE_ERRORS as error:
            self._report(_OP, started, error)
            raise
        self._report(_OP, started, None)
        return response["Body"]
