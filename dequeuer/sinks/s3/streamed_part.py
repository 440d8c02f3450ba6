"""UploadPart with a streamed body. Its checksum follows it, because the whole part is not known before."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.http.pool import Reply
from dequeuer.sinks.s3.body import NO_HASH, TRAILER, TRAILER_HASH, ChecksummedStream, in_chunks, length_in_chunks
from dequeuer.sinks.s3.bucket import Bucket
from dequeuer.sinks.s3.checksum import CRC32
from dequeuer.sinks.s3.errors import code_in
from dequeuer.sinks.s3.features import Features
from dequeuer.sinks.s3.retry import retry_upload_request

_PROBE = b"probe"
_UNSUPPORTED_STATUSES = frozenset({400, 403, 405, 411, 422, 501})
_MISREAD = frozenset({"", "BadDigest", "IncompleteBody", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"})
"""Codes that can mean damaged bytes; here also that the store took the coding for content."""
_MD5 = re.compile(r"[0-9a-f]{32}\Z")


class StreamedParts:
    """Sends parts of uploads while their content is read."""

    def __init__(self, bucket: Bucket, features: Features) -> None:
        self._bucket = bucket
        self._features = features

    async def prepare(self, key: str, parameters: str) -> None:
        """Detect once whether the store supports a checksum after a body: otherwise it may store it as content.

        Writes a small part, which the real part with the same number then replaces. May be retried.

        Raises:
            StoreDeniedError, StoreUnavailableError: the detection failed.
        """
        if self._features.is_known("streamed_checksums"):
            return
        body = ChecksummedStream(_single_chunk(_PROBE))
        reply = await self._send(key, parameters, body, len(_PROBE), with_checksum=True)
        if reply.status < 300 and _is_same(reply, body):
            self._features.mark_supported("streamed_checksums")
            return
        refusal = self._bucket.refusal(reply) if reply.status >= 300 else None
        if isinstance(refusal, StoreUnavailableError) and reply.status != 501 and code_in(reply.body) not in _MISREAD:
            raise refusal  # throttled, or a timeout: this says nothing about the feature
        self._features.mark_missing("streamed_checksums")

    async def send(self, key: str, parameters: str, pieces: AsyncIterator[bytes], length: int) -> tuple[str, str]:
        """Send a part of `length` bytes; return its ETag and its CRC-32.

        It is retried only while nothing of `pieces` was read, that is, while no connection can be made.

        Raises:
            Errors of `pieces`: the request is aborted, and S3 stores nothing.
            StoreDeniedError, StoreUnavailableError: the part was not stored, or with other bytes.
        """
        body = ChecksummedStream(pieces)
        with_checksum = not self._features.lacks("streamed_checksums")

        async def attempt() -> Reply | StoreUnavailableError:
            try:
                return await self._send(key, parameters, body, length, with_checksum=with_checksum)
            except StoreUnavailableError as error:
                if body.is_untouched:
                    raise
                return error

        reply = await retry_upload_request(attempt)
        if isinstance(reply, StoreUnavailableError):
            raise reply
        if reply.status >= 300:
            raise self._bucket.refusal(reply)
        e_tag = reply.field("etag")
        if not e_tag:
            raise StoreUnavailableError("the response of S3 to a part has no ETag")
        if _is_same(reply, body) is False:
            raise StoreUnavailableError("S3 received other bytes than were sent")
        return e_tag, body.crc32

    async def _send(
        self, key: str, parameters: str, body: ChecksummedStream, length: int, *, with_checksum: bool
    ) -> Reply:
        if not with_checksum:
            request = self._bucket.request(key, "PUT", parameters)
            return await self._bucket.upload(
                request, body, length=length, body_hash=NO_HASH, expected=_UNSUPPORTED_STATUSES
            )
        fields = (*TRAILER, ("x-amz-decoded-content-length", str(length)))
        return await self._bucket.upload(
            self._bucket.request(key, "PUT", parameters, fields),
            in_chunks(body),
            length=length_in_chunks(length),
            body_hash=TRAILER_HASH,
            expected=_UNSUPPORTED_STATUSES,
        )


def _is_same(reply: Reply, body: ChecksummedStream) -> bool | None:
    """Return whether S3 has the bytes that were sent; None when its response does not tell."""
    if checksum := reply.field(CRC32):
        return checksum == body.crc32
    e_tag = (reply.field("etag") or "").strip('"')
    if not _MD5.match(e_tag) or (reply.field("x-amz-server-side-encryption") or "").startswith("aws:kms"):
        return None
    return e_tag == body.e_tag


async def _single_chunk(body: bytes) -> AsyncIterator[bytes]:
    yield body
