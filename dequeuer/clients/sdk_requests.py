"""What the SDK's client of S3 is kept from doing to requests, and what it no longer does for older stores."""

from __future__ import annotations

import io
from base64 import b64encode
from hashlib import md5
from typing import Any

_WITH_MD5 = ("DeleteObjects", "PutBucketLifecycleConfiguration")
"""Many stores take these with a Content-MD5 only; the SDK has sent CRC32 alone since 2025."""


def adapt(client: Any) -> None:
    """Register with a client of S3. Its events are part of the SDK's interface."""
    client.meta.events.register_last("before-call.s3", _send_at_once)
    client.meta.events.register("before-call.s3.GetObject", _ask_for_checksum)
    for operation in _WITH_MD5:
        client.meta.events.register("before-call.s3." + operation, _add_md5)


def _send_at_once(params: dict[str, Any], **_more: object) -> None:
    # The SDK waits for "100 Continue", which not every store sends, and its HTTP library reads files in a thread.
    params["headers"].pop("Expect", None)
    body = params.get("body")
    if isinstance(body, io.BytesIO):
        params["body"] = body.getvalue()


def _ask_for_checksum(params: dict[str, Any], **_more: object) -> None:
    # As a parameter it would make the SDK check the stream itself, which it cannot once that was resumed.
    params["headers"]["x-amz-checksum-mode"] = "ENABLED"


def _add_md5(params: dict[str, Any], **_more: object) -> None:
    body = params.get("body")
    if isinstance(body, bytes):
        digest = md5(body, usedforsecurity=False).digest()
        params["headers"]["Content-MD5"] = b64encode(digest).decode()
