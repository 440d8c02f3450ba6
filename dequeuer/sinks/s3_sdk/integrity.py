"""The checksum that is sent with every body."""

from __future__ import annotations

from typing import TypedDict
from zlib import crc32

from dequeuer.sinks.s3.checksum import encoded_crc32


class BodyWithChecksum(TypedDict):
    """Parameters of PutObject and UploadPart: a body and its checksum."""

    Body: bytes
    ChecksumCRC32: str


def with_checksum(body: bytes) -> BodyWithChecksum:
    """Return a body with its checksum.

    It is calculated here and sent as a header field: over TLS the SDK would send its own in the trailer of a chunked
    body, which many stores do not support.
    """
    return BodyWithChecksum(Body=body, ChecksumCRC32=encoded_crc32(crc32(body)))
