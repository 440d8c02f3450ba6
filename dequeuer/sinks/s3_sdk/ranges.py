"""Ranges of objects over the SDK's client."""

from __future__ import annotations

from dequeuer.core.errors import ObjectReplacedError, StoreUnavailableError
from dequeuer.sinks.base import ListedObject
from dequeuer.sinks.s3.errors import REPLACED
from dequeuer.sinks.s3.ranges import check_range, joined, range_header
from dequeuer.sinks.s3_sdk.bucket import Refusal, SdkBucket
from dequeuer.sinks.s3_sdk.download import CHUNK_BYTES
from dequeuer.sinks.s3_sdk.errors import SDK_ERRORS, translated

_NO_SUCH_RANGE = 416


async def read_range(bucket: SdkBucket, listed: ListedObject, start: int, length: int) -> bytes:
    """Return bytes of an object; see `RangedReads`."""
    same = {"IfMatch": listed.e_tag} if listed.e_tag else {}
    response = await bucket.attempt("get_object", Key=listed.key, Range=range_header(start, length), **same)
    if isinstance(response, Refusal):
        if response.status == _NO_SUCH_RANGE:
            raise ObjectReplacedError(REPLACED) from response.error
        raise response.translated() from response.error
    body = response["Body"]
    try:
        if response.get("ContentRange") is None:
            raise StoreUnavailableError("S3 sent no range of the object")
        check_range(listed, start, response["ContentRange"], response.get("ETag"))
        chunks: list[bytes] = []
        left = length
        try:
            while left > 0 and (chunk := await body.read(CHUNK_BYTES)):
                chunks.append(chunk)
                left -= len(chunk)
        except SDK_ERRORS as error:
            if not chunks:
                raise translated(error) from error
    finally:
        body.close()
    return joined(chunks, length)
