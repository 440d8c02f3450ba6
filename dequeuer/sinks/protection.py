"""Encryption and ownership of what is written to S3: which header fields carry them, on which requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Sse = Literal["AES256", "aws:kms", "aws:kms:dsse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectProtection:
    """What S3 is told about objects and the bucket. Every client of S3 takes one.

    Attributes:
        sse: server-side encryption of new objects; None: the bucket's default.
        sse_kms_key_id: KMS key id, alias or ARN; only with an `aws:kms` value of `sse`. None: the key of the bucket
            or of AWS.
        bucket_owner: account id, 12 digits; S3 answers 403 when the bucket belongs to another account. None: not
            checked.
    """

    sse: Sse | None = None
    sse_kms_key_id: str | None = None
    bucket_owner: str | None = None

    def creation_fields(self) -> Sequence[tuple[str, str]]:
        """Return the fields of PutObject and CreateMultipartUpload. S3 refuses them on all other requests."""
        if self.sse is None:
            return ()
        key = self.sse_kms_key_id
        fields = [("x-amz-server-side-encryption", str(self.sse))]
        return [*fields, ("x-amz-server-side-encryption-aws-kms-key-id", key)] if key else fields

    def common_fields(self) -> Sequence[tuple[str, str]]:
        """Return the fields of every request about the bucket or its objects."""
        return () if self.bucket_owner is None else (("x-amz-expected-bucket-owner", self.bucket_owner),)


UNPROTECTED = ObjectProtection()
"""No header fields at all: the bucket's own settings apply."""
