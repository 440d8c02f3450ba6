"""Encryption of objects and ownership of the bucket: the header fields, and the requests that carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Sse = Literal["AES256", "aws:kms", "aws:kms:dsse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectProtection:
    """Encryption of new objects, and the expected owner of the bucket.

    Attributes:
        sse: server-side encryption of new objects; None: the bucket's default.
        sse_kms_key_id: KMS key id, alias or ARN; only with an `aws:kms` value of `sse`. None: the key of the bucket
            or of AWS.
        bucket_owner: account id, 12 digits; S3 responds 403 when another account owns the bucket. None: not checked.
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
        """Return the fields of every request to the bucket or its objects."""
        return () if self.bucket_owner is None else (("x-amz-expected-bucket-owner", self.bucket_owner),)


UNPROTECTED = ObjectProtection()
"""No header fields: the settings of the bucket apply."""
