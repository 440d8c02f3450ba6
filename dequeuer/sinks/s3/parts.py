"""The parts of a multipart upload, and what is done with uploads in the same way by both clients."""

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
_NO_UPLOADS = ("NotImplemented", "MethodNotAllowed")
"""A store that has no multipart uploads says so: that tells nothing about permissions."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that S3 has taken.

    Attributes:
        e_tag: S3's name for it, as it was sent.
        size: bytes.
        crc32: base64, as S3 writes it.
    """

    e_tag: str
    size: int
    crc32: str


def is_made_of(parts: Sequence[Part], *, content_range: str | None, e_tag: str, encryption: str) -> bool:
    """Tell whether an object was made of these parts, in this order.

    Args:
        parts: all of them.
        content_range: of the response to a GET of the first byte.
        e_tag: of that response.
        encryption: the server-side encryption that it names; empty: none.
    """
    if content_range != f"bytes 0-0/{sum(part.size for part in parts)}":
        return False
    found = e_tag.strip('"')
    if encryption.startswith("aws:kms"):
        # Its ETags are no checksums; they count the parts all the same.
        return found.endswith(f"-{len(parts)}")
    return found == _combined(parts)


def _combined(parts: Sequence[Part]) -> str | None:
    """Return the ETag of an object that is made of these parts; None when their ETags are no checksums."""
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
    """An upload, as far as it is begun and given up here."""

    async def create(self) -> None:
        """Begin with one attempt. Raises `StoreError`."""

    async def abort(self) -> None:
        """Give the parts up, within `ABORT_TIMEOUT_S`. Raises nothing."""


async def check_uploads(upload: AbortableUpload) -> None:
    """Begin an upload and abort it. Raises `StoreDeniedError`, `StoreUnavailableError`."""
    try:
        await upload.create()
    except StoreMissingError:
        return  # no multipart uploads here: an absent bucket is `StoreDeniedError`
    except (StoreDeniedError, StoreUnavailableError) as error:
        if any(code in str(error) for code in _NO_UPLOADS):
            return
        raise
    await upload.abort()


class Aborts:
    """The aborts that outlive their uploads. A cancelled upload must not hold up the release of its message."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, upload: AbortableUpload) -> None:
        """Abort an upload in the background."""
        task = asyncio.create_task(upload.abort(), name="abort an upload")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Wait for the aborts that still run, `ABORT_TIMEOUT_S` at most."""
        if self._running:
            await asyncio.wait(set(self._running))
