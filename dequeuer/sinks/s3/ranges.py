"""Ranges of objects. Another object that was written meanwhile is never taken for the listed one."""

from __future__ import annotations

from dequeuer.core.errors import ObjectReplacedError, StoreUnavailableError
from dequeuer.http.errors import HttpTransportError
from dequeuer.sinks.base import ListedObject
from dequeuer.sinks.s3.bucket import TIMEOUT_S, Bucket
from dequeuer.sinks.s3.errors import REPLACED, error_without_response

_NO_SUCH_RANGE = 416


async def read_range(bucket: Bucket, listed: ListedObject, start: int, length: int) -> bytes:
    """Return bytes of an object; see `RangedReads`."""
    asked = range_header(start, length)
    fields = (("if-match", listed.e_tag), ("range", asked)) if listed.e_tag else (("range", asked),)
    response = await bucket.stream(bucket.request(listed.key, "GET", fields=fields), 206, expected=(_NO_SUCH_RANGE,))
    try:
        if response.status == _NO_SUCH_RANGE:
            raise ObjectReplacedError(REPLACED)
        check_range(listed, start, response.field("content-range"), response.field("etag"))
        chunks: list[bytes] = []
        left = length
        try:
            while left > 0 and (chunk := await response.next_chunk(TIMEOUT_S)):
                chunks.append(chunk)
                left -= len(chunk)
        except HttpTransportError as error:
            if not chunks:
                raise error_without_response(error) from error
    finally:
        bucket.release(response)
    return joined(chunks, length)


def range_header(start: int, length: int) -> str:
    """Return the value of `Range`."""
    return f"bytes={start}-{start + length - 1}"


def check_range(listed: ListedObject, start: int, content_range: object, e_tag: object) -> None:
    """Check what a response is about. Some stores ignore `If-Match`.

    Raises:
        ObjectReplacedError: another object.
        StoreUnavailableError: another range.
    """
    given, _, size = str(content_range).partition("/")
    if (listed.e_tag and e_tag is not None and e_tag != listed.e_tag) or (
        size.isdecimal() and int(size) != listed.size
    ):
        raise ObjectReplacedError(REPLACED)
    if not given.startswith(f"bytes {start}-"):
        raise StoreUnavailableError("S3 sent another range of the object than requested")


def joined(chunks: list[bytes], length: int) -> bytes:
    """Return the bytes of a response to a request for `length` bytes. Raises `StoreUnavailableError`."""
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if not 0 < len(body) <= length:
        raise StoreUnavailableError("S3 sent another number of bytes than requested")
    return body
