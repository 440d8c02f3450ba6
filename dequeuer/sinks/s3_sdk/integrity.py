"""The checksum that goes with every body."""

from __future__ import annotations

from typing import TypedDict
from zlib import crc32

from dequeuer.sinks.s3.checksum import encoded_crc32


class BodyWithChecksum(TypedDict):
    """Parameters of PutObject and UploadPart: a body, and what S3 compares it with."""

    Body: bytes
    ChecksumCRC32: str


def with_checksum(body: bytes) -> BodyWithChecksum:
    """Return a body with its checksum.

    Calculated here, as a header: over TLS the SDK would send its own in a trailer of a chunked body, which many
    stores do not understand.
    """
    return BodyWithChecksum(Body=body, ChecksumCRC32=encoded_crc32(crc32(body)))
