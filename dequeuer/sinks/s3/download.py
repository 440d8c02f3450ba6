"""Downloads: small objects are read whole, large ones are streamed and resumed after a broken connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

from dequeuer.core import clock
from dequeuer.core.errors import StoreUnavailableError, clip
from dequeuer.core.events import StoreOp
from dequeuer.core.retry import Backoff, retry_until_available
from dequeuer.http.errors import HttpTransportError
from dequeuer.http.response import Response
from dequeuer.sinks.base import Payload, SingleChunk
from dequeuer.sinks.s3.bucket import MAX_RESPONSE_BYTES, TIMEOUT_S, Bucket
from dequeuer.sinks.s3.checksum import REQUEST_CHECKSUM, verifier_of
from dequeuer.sinks.s3.content_type import UNTYPED
from dequeuer.sinks.s3.errors import STORE_ERRORS, StoreError, code_in, error_without_response, refused
from dequeuer.sinks.s3.features import UNSUPPORTED_STATUSES, Features, may_mean_unsupported

MAX_BUFFERED_OBJECT_BYTES = 64 * 1024
"""Objects up to this size are read whole at once, so that their connection is free again early."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NO_PROGRESS_BACKOFF = Backoff(initial_s=1.0, max_s=1.0, min_share=0.2)
"""Before a download is resumed whose last response contained no byte."""
_WRONG_LENGTH = "S3 sent another number of bytes than announced"

Report: TypeAlias = Callable[[StoreOp, float | None, StoreError | None], None]
"""Reports a call: operation, start time (None: a failure in the middle of a download), error."""


class Downloads:
    """Reads the objects of a bucket.

    Args:
        bucket: where they are.
        features: what the store lacks.
        report: called for every request after the first one of an object.
    """

    def __init__(self, bucket: Bucket, features: Features, report: Report) -> None:
        self._bucket = bucket
        self._features = features
        self._report = report

    async def open(self, key: str) -> Payload:
        """Open an object. Raises `StoreMissingError`, `StoreDeniedError`, `StoreUnavailableError`."""
        response = await self._begin(key)
        is_handed_on = False
        try:
            size, modified_at = (
                _size(response.field("content-length")),
                _parse_date(response.field("last-modified") or ""),
            )
            chunks: AsyncIterator[bytes] | None = (
                await self._whole(response, size) if size <= MAX_BUFFERED_OBJECT_BYTES else None
            )
            if chunks is None:
                chunks = self._stream(key, response, size)
                # Started here: the event loop closes a dropped generator only after it was started, and that frees
                # the connection.
                await anext(chunks)
                is_handed_on = True
        finally:
            if not is_handed_on:
                self._bucket.release(response)
        content_type = response.field("content-type")
        return Payload(
            size=size,
            content_type=None if content_type == UNTYPED else content_type,
            chunks=chunks,
            modified_at=modified_at,
        )

    async def _begin(self, key: str) -> Response:
        """Request an object with its checksum; without it when the store refuses the checksum field."""
        if self._features.lacks("checksums") or self._features.lacks("checksums_on_reading"):
            return await self._bucket.stream(self._bucket.request(key, "GET"), 200)
        maybe = () if self._features.is_known("checksums_on_reading") else UNSUPPORTED_STATUSES
        response = await self._bucket.stream(
            self._bucket.request(key, "GET", fields=(REQUEST_CHECKSUM,)), 200, expected=maybe
        )
        if response.status == 200:
            self._features.mark_supported("checksums_on_reading")
            return response
        try:
            code = code_in(await response.read(MAX_RESPONSE_BYTES, TIMEOUT_S))
        except HttpTransportError as error:
            raise error_without_response(error) from error
        finally:
            self._bucket.release(response)
        if not may_mean_unsupported(response.status, code):
            raise refused(response.status, code)
        response = await self._bucket.stream(self._bucket.request(key, "GET"), 200)
        self._features.mark_missing("checksums_on_reading")
        return response

    async def _whole(self, response: Response, size: int) -> AsyncIterator[bytes] | None:
        try:
            body = await response.read(MAX_BUFFERED_OBJECT_BYTES, TIMEOUT_S)
        except HttpTransportError:
            # The bytes that have arrived stay in the response; `_stream` begins with them.
            return None
        if len(body) != size:
            raise StoreUnavailableError(_WRONG_LENGTH)
        checked = verifier_of(response.field)
        checked.update(body)
        checked.check()
        return SingleChunk(body)

    async def _stream(self, key: str, first: Response, size: int) -> AsyncGenerator[bytes, None]:
        e_tag, checked = first.field("etag"), verifier_of(first.field)
        at = 0
        response: Response | None = first
        try:
            yield b""
            while response is not None:
                start = at
                try:
                    async with aclosing(response.chunks(TIMEOUT_S)) as chunks:
                        async for chunk in chunks:
                            at += len(chunk)
                            if at > size:
                                raise StoreUnavailableError(_WRONG_LENGTH)
                            checked.update(chunk)
                            if at == size:
                                # Before the last bytes are yielded: if it raises, the request to the container is
                                # aborted, and the container never has a whole payload with wrong bytes.
                                checked.check()
                            yield chunk
                except HttpTransportError as error:
                    self._report("get", None, StoreUnavailableError(clip(str(error))))
                if at >= size:
                    return
                self._bucket.release(response)
                response = None
                if at == start:
                    await asyncio.sleep(NO_PROGRESS_BACKOFF.pause_s(0))
                response = await retry_until_available(StoreUnavailableError, self._reopen, key, at, size, e_tag)
        finally:
            if response is not None:
                self._bucket.release(response)

    async def _reopen(self, key: str, at: int, size: int, e_tag: str | None) -> Response:
        started = clock.monotonic()
        asked = f"bytes={at}-"
        # Without If-Match, an object that was replaced meanwhile would be joined to the first part of the old one.
        fields = (("range", asked),) if e_tag is None else (("if-match", e_tag), ("range", asked))
        try:
            response = await self._bucket.stream(self._bucket.request(key, "GET", fields=fields), 206)
            given, length = response.field("content-range"), response.field("content-length")
            if given != f"bytes {at}-{size - 1}/{size}" or length != str(size - at):
                self._bucket.release(response)
                raise StoreUnavailableError("S3 sent another range of the object than requested")
        except STORE_ERRORS as error:
            self._report("get", started, error)
            raise
        self._report("get", started, None)
        return response


def _size(length: str | None) -> int:
    if length is None or not length.isdecimal():
        raise StoreUnavailableError("the response of S3 has no size of the object")
    return int(length)


@lru_cache(maxsize=64)  # payload and headers of a request often have the same date
def _parse_date(text: str) -> float:
    """Return seconds since the epoch for a date such as `Tue, 14 Nov 2023 22:13:20 GMT`."""
    try:
        hour, minute, second = text[17:25].split(":")
        day, month, year = int(text[5:7]), _MONTHS.index(text[8:11]) + 1, int(text[12:16])
        return datetime(year, month, day, int(hour), int(minute), int(second), tzinfo=UTC).timestamp()
    except ValueError:
        raise StoreUnavailableError("the response of S3 has no date of the object") from None
