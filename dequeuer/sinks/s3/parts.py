"""Parts of a multipart upload, and what both clients do with uploads in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Protocol, TypeVar

from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.sinks.s3.retry import retry_upload_request

T = TypeVar("T")

ABORT_TIMEOUT_S = 5.0
ABORTS_CLOSE_TIMEOUT_S = 0.25
"""How long the end of the process waits for aborts. The bucket's lifecycle rule deletes the parts that are left."""
_NO_UPLOADS = ("NotImplemented", "MethodNotAllowed")
"""Codes of a store without multipart uploads. They say nothing about permissions."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that S3 has stored.

    Attributes:
        e_tag: its ETag, as S3 sent it.
        size: its size, bytes.
        crc32: its CRC-32, base64.
    """

    e_tag: str
    size: int
    crc32: str


def is_made_of(parts: Sequence[Part], *, content_range: str | None, e_tag: str, encryption: str) -> bool:
    """Return whether an object consists of these parts, in this order.

    Args:
        parts: all of them.
        content_range: Content-Range of the response to a GET of the first byte.
        e_tag: ETag of that response.
        encryption: server-side encryption named by that response; empty: none.
    """
    if content_range != f"bytes 0-0/{sum(part.size for part in parts)}":
        return False
    found = e_tag.strip('"')
    if encryption.startswith("aws:kms"):
        # With KMS, ETags are not checksums, but they end with the number of parts.
        return found.endswith(f"-{len(parts)}")
    return found == _combined(parts)


def _combined(parts: Sequence[Part]) -> str | None:
    """Return the ETag of an object with these parts; None when their ETags are not checksums."""
    try:
        digests = b"".join(bytes.fromhex(part.e_tag.strip('"')) for part in parts)
    except ValueError:
        return None
    return f"{md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


async def within_upload(attempt: Callable[[], Awaitable[T]]) -> T:
    """Send a request about an upload, with `retry_upload_request`.

    Raises:
        StoreUnavailableError: also when S3 has lost the upload or one of its parts. No retry of this request can help
            then; the message is released, and its work is done again.
    """
    try:
        return await retry_upload_request(attempt)
    except StoreMissingError as error:
        raise StoreUnavailableError(f"the upload or a part of it is gone: {error}") from error


class AbortableUpload(Protocol):
    """An upload that can be created and aborted."""

    async def create(self) -> None:
        """Create the upload, with one attempt. Raises `StoreError`."""

    async def abort(self) -> None:
        """Abort the upload, within `ABORT_TIMEOUT_S`. Raises nothing."""


async def check_uploads(upload: AbortableUpload) -> None:
    """Create an upload and abort it. Raises `StoreDeniedError`, `StoreUnavailableError`."""
    try:
        await upload.create()
    except StoreMissingError:
        return  # the store has no multipart uploads; a missing bucket would be `StoreDeniedError`
    except (StoreDeniedError, StoreUnavailableError) as error:
        if any(code in str(error) for code in _NO_UPLOADS):
            return
        raise
    await upload.abort()


class Aborts:
    """Aborts in the background: a cancelled upload must not delay the release of its message."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, upload: AbortableUpload) -> None:
        """Begin to abort an upload."""
        task = asyncio.create_task(upload.abort(), name="abort an upload")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Wait for running aborts, `ABORTS_CLOSE_TIMEOUT_S` at most; cancel those that take longer."""
        if self._running:
            _, late = await asyncio.wait(set(self._running), timeout=ABORTS_CLOSE_TIMEOUT_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
