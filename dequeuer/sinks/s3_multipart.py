"""A streamed upload: parts of 5 MiB, one filling while one is on its way, nothing left behind when it ends early."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from hashlib import md5
from typing import TypeVar

from dequeuer.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.sinks.base import Check, unchecked
from dequeuer.sinks.s3_bucket import XML_TYPE, Bucket
from dequeuer.sinks.s3_errors import error_code, refused
from dequeuer.sinks.s3_xml import escape, parse
from dequeuer.wire.signing import Fields, query

T = TypeVar("T")

PART_BYTES = 5 * 1024 * 1024
"""The smallest part that S3 takes, the last one apart."""
ABORT_TIMEOUT_S = 5.0
_NO_UPLOADS = ("NotImplemented", "MethodNotAllowed")
"""A store that has no multipart uploads says so: that tells nothing about permissions."""
TRIES = 8
TRIES_WITHIN_S = 120.0
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 15.0


class Uploads:
    """Streams bodies into a bucket. It keeps the clean-ups that outlive their upload."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._cleaning: set[asyncio.Task[None]] = set()

    async def send(self, key: str, body: AsyncIterator[bytes], content_type: tuple[str, str], check: Check) -> None:
        """Write an object of unknown size. `content_type`: the field.

        Raises:
            Whatever `body` raises: nothing is written then.
            StoreDeniedError, StoreUnavailableError: it is not known to be written.
        """
        buffer = bytearray()
        fields = (content_type,)
        async for chunk in body:
            buffer += chunk
            if len(buffer) > PART_BYTES:
                await self._send_large(_Upload(self._bucket, key, fields, check), buffer, body)
                return
        request = self._bucket.about(key, "PUT", fields=fields, body=bytes(buffer))

        async def attempt() -> None:
            check()
            await self._bucket.call(request)

        await patiently(attempt)

    async def check(self, key: str) -> None:
        """Begin an upload and abort it. Raises `StoreDeniedError`, `StoreUnavailableError`."""
        upload = _Upload(self._bucket, key, (), unchecked)
        try:
            await upload.begin()
        except (StoreDeniedError, StoreUnavailableError) as error:
            if any(code in str(error) for code in _NO_UPLOADS):
                return
            raise
        await upload.abort()

    async def _send_large(self, upload: _Upload, buffer: bytearray, body: AsyncIterator[bytes]) -> None:
        try:
            await upload.take_parts(buffer)
            async for chunk in body:
                buffer += chunk
                await upload.take_parts(buffer)
            await upload.take(buffer)
            await upload.complete()
        except BaseException:
            self._clean_up(upload)
            raise

    def _clean_up(self, upload: _Upload) -> None:
        # Not waited for: a cancelled upload must not hold up the release of its message.
        task = asyncio.create_task(upload.abort(), name="abort an upload")
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)

    async def close(self) -> None:
        """Wait for what is still being cleaned up: `ABORT_TIMEOUT_S` at most."""
        if self._cleaning:
            await asyncio.wait(set(self._cleaning))


@dataclass(frozen=True, slots=True)
class _Part:
    e_tag: str
    size: int


class _Upload:
    """One upload. `take` begins it; then either `complete` or `abort` ends it."""

    def __init__(self, bucket: Bucket, key: str, fields: Fields, check: Check) -> None:
        self._bucket = bucket
        self._key = key
        self._fields = fields
        self._check = check
        self._id = ""
        self._parts: list[_Part] = []
        self._flight: asyncio.Task[None] | None = None

    async def take_parts(self, buffer: bytearray) -> None:
        """Send whole parts while something is left after them. Raises what has failed meanwhile."""
        while len(buffer) > PART_BYTES:
            await self.take(buffer)
        # A body that never ends must not hide that the upload has failed.
        if self._flight is not None and self._flight.done():
            self._flight.result()

    async def take(self, buffer: bytearray) -> None:
        """Send up to a part of what is in the buffer, as soon as the part before has arrived."""
        if self._flight is None:
            self._flight = asyncio.create_task(patiently(self._begin), name="begin an upload")
        await self._landed()
        # Only now: a third part would be in memory otherwise.
        part = bytes(memoryview(buffer)[:PART_BYTES])
        del buffer[:PART_BYTES]
        self._flight = asyncio.create_task(self._send(part), name="send a part")

    async def _landed(self) -> None:
        if self._flight is not None:
            await asyncio.shield(self._flight)

    async def begin(self) -> None:
        """Begin with one attempt; `take` does it by itself."""
        self._flight = asyncio.create_task(self._begin(), name="begin an upload")
        await self._landed()

    async def _begin(self) -> None:
        reply = await self._bucket.call(self._bucket.about(self._key, "POST", "uploads=", self._fields))
        found = parse(reply.body, "InitiateMultipartUploadResult").first("UploadId")
        if not found:
            raise StoreUnavailableError("S3 began an upload and did not name it")
        self._id = found

    async def _send(self, body: bytes) -> None:
        parameters = [("partNumber", str(len(self._parts) + 1)), ("uploadId", self._id)]
        request = self._bucket.about(self._key, "PUT", query(parameters), body=body)

        async def attempt() -> str:
            e_tag = (await self._bucket.call(request)).field("etag")
            if not e_tag:
                raise StoreUnavailableError("S3 took a part and did not name it")
            return e_tag

        self._parts.append(_Part(await _begun(attempt), len(body)))

    async def complete(self) -> None:
        """Make the object of the parts."""
        await self._landed()
        await _begun(self._complete)

    async def _complete(self) -> None:
        entries = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(part.e_tag)}</ETag></Part>"
            for number, part in enumerate(self._parts, 1)
        )
        namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
        body = f'<CompleteMultipartUpload xmlns="{namespace}">{entries}</CompleteMultipartUpload>'.encode()
        request = self._bucket.about(self._key, "POST", query([("uploadId", self._id)]), (XML_TYPE,), body)
        self._check()
        try:
            reply = await self._bucket.call(request)
        except StoreMissingError:
            # The upload is gone. If it was completed and only the answer was lost, the object is there.
            if await self._is_there():
                return
            raise
        # S3 says 200 before it begins to put the parts together; what comes after is the answer.
        document = parse(reply.body.strip())
        if document.name != "CompleteMultipartUploadResult":
            raise refused(200, error_code(document.first("Code")))

    async def _is_there(self) -> bool:
        request = self._bucket.about(self._key, "GET", fields=(("range", "bytes=0-0"),))
        try:
            reply = await self._bucket.call(request)
        except StoreMissingError:
            return False
        size = sum(part.size for part in self._parts)
        if reply.field("content-range") != f"bytes 0-0/{size}":
            return False
        found = (reply.field("etag") or "").strip('"')
        if (reply.field("x-amz-server-side-encryption") or "").startswith("aws:kms"):
            # Its ETags are no checksums; they count the parts all the same.
            return found.endswith(f"-{len(self._parts)}")
        return found == _combined([part.e_tag for part in self._parts])

    async def abort(self) -> None:
        """Give the parts up. Best effort: what cannot be aborted now is left to the bucket's rules."""
        flight = self._flight
        if flight is None:
            return
        if self._id:
            # A part that arrives after the end of its upload would be kept, and paid for.
            flight.cancel()
        try:
            async with asyncio.timeout(ABORT_TIMEOUT_S):
                # The beginning is not cancelled: an upload whose name never became known cannot be aborted.
                await asyncio.wait({flight})
                if self._id:
                    await self._bucket.call(self._bucket.about(self._key, "DELETE", query([("uploadId", self._id)])))
        except (TimeoutError, StoreUnavailableError, StoreMissingError, StoreDeniedError):
            return
        finally:
            flight.cancel()
            if flight.done() and not flight.cancelled():
                flight.exception()


def _combined(e_tags: list[str]) -> str | None:
    """Return the ETag of an object that was put together of parts with these; None when they are no checksums."""
    try:
        digests = b"".join(bytes.fromhex(e_tag.strip('"')) for e_tag in e_tags)
    except ValueError:
        return None
    return f"{md5(digests, usedforsecurity=False).hexdigest()}-{len(e_tags)}"


async def _begun(attempt: Callable[[], Awaitable[T]]) -> T:
    try:
        return await patiently(attempt)
    except StoreMissingError as error:
        raise StoreUnavailableError("the upload was gone before it was complete") from error


async def patiently(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try up to `TRIES` times within `TRIES_WITHIN_S`: what is sent here cannot be had again from the container."""
    loop = asyncio.get_running_loop()
    ends, wait_s = loop.time() + TRIES_WITHIN_S, FIRST_WAIT_S
    for _ in range(TRIES - 1):
        try:
            return await attempt()
        except StoreUnavailableError:
            pause_s = random.uniform(0, wait_s)  # noqa: S311 - jitter
            if loop.time() + pause_s > ends:
                raise
        await asyncio.sleep(pause_s)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
    return await attempt()
