"""Changes to the requests of the SDK's S3 client, so that stores other than S3 accept them."""

from __future__ import annotations

import io
from base64 import b64encode
from hashlib import md5
from typing import Any

_WITH_MD5 = ("DeleteObjects", "PutBucketLifecycleConfiguration")
"""Many stores accept these only with Content-MD5; since 2025 the SDK sends CRC32 alone."""


def adapt(client: Any) -> None:
    """Register the changes with an S3 client, through the SDK's event system."""
    client.meta.events.register_last("before-call.s3", _send_at_once)
    client.meta.events.register("before-call.s3.GetObject", _ask_for_checksum)
    for operation in _WITH_MD5:
        client.meta.events.register("before-call.s3." + operation, _add_md5)


def _send_at_once(params: dict[str, Any], **_more: object) -> None:
    # The SDK waits for "100 Continue", which some stores do not send, and its HTTP library reads files in a thread.
    params["headers"].pop("Expect", None)
    body = params.get("body")
    if isinstance(body, io.BytesIO):
        params["body"] = body.getvalue()


def _ask_for_checksum(params: dict[str, Any], **_more: object) -> None:
    # As a parameter it would make the SDK check the stream itself, which fails when a download is resumed.
    params["headers"]["x-amz-checksum-mode"] = "ENABLED"


def _add_md5(params: dict[str, Any], **_more: object) -> None:
    body = params.get("body")
    if isinstance(body, bytes):
        digest = md5(body, usedforsecurity=False).digest()
        params["headers"]["Content-MD5"] = b64encode(digest).decode()
