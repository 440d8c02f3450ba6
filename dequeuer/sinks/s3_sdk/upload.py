"""Uploads over the SDK's client: parts of 5 MiB, of which one is filled while another is sent.

The SDK sends only whole bodies, so parts are always buffered, other than with the slim client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.sinks.base import Check, unchecked
from dequeuer.sinks.s3.body import Body
from dequeuer.sinks.s3.content_type import UNTYPED
from dequeuer.sinks.s3.multipart import PART_BYTES
from dequeuer.sinks.s3.parts import ABORT_TIMEOUT_S, Aborts, Part, check_uploads, is_made_of, within_upload
from dequeuer.sinks.s3.retry import retry_upload_request
from dequeuer.sinks.s3_sdk.bucket import SdkBucket
from dequeuer.sinks.s3_sdk.integrity import BodyWithChecksum, with_checksum
from dequeuer.sinks.s3_sdk.writing import ObjectWriter

MAX_PARTS_IN_MEMORY = 6
"""Parts of all uploads that are in memory, being read or sent: 30 MiB. They are assigned in turn, and an upload holds
none while it waits for one. So responses of any size in all workers make progress."""


class Uploads:
    """Streams bodies into a bucket."""

    def __init__(self, bucket: SdkBucket, writes: ObjectWriter) -> None:
        self._bucket = bucket
        self._writer = writes
        self._part_slots = asyncio.Semaphore(MAX_PARTS_IN_MEMORY)
        self._aborts = Aborts()

    async def send(self, key: str, chunks: AsyncIterator[bytes], content_type: str, check: Check) -> bool:
        """Write an object of unknown size unless the key exists; return whether it was written.

        Raises:
            Errors of `chunks` and `check`: nothing is written then.
            StoreDeniedError, StoreUnavailableError: the object may not have been written.
        """
        upload = _Upload(self._bucket, self._writer, key, content_type, check)
        try:
            whole = await self._send_parts(upload, Body(chunks, None))
            if whole is not None:
                return await self._send_whole(key, whole, content_type, check)
            is_written = await upload.complete()
        except BaseException:
            self._aborts.start(upload)
            raise
        if not is_written:
            self._aborts.start(upload)
        return is_written

    async def _send_parts(self, upload: _Upload, body: Body) -> BodyWithChecksum | None:
        """Send a body in parts. A body of a single part is not sent but returned, and keeps its slot."""
        is_first = True
        while True:
            await self._part_slots.acquire()
            try:
                part = with_checksum(bytes(await body.part(PART_BYTES, upload.raise_failure)))
                is_over = await body.is_over()
            except BaseException:
                self._part_slots.release()
                raise
            if is_first and is_over:
                return part
            await upload.send(part, self._part_slots.release)
            if is_over:
                return None
            del part
            is_first = False

    async def _send_whole(self, key: str, whole: BodyWithChecksum, content_type: str, check: Check) -> bool:
        async def attempt() -> bool:
            created = await self._writer.create("put_object", check, Key=key, ContentType=content_type, **whole)
            return created is not None

        try:
            return await retry_upload_request(attempt)
        finally:
            self._part_slots.release()

    async def check(self, key: str) -> None:
        """Create an upload and abort it. Raises `StoreDeniedError`, `StoreUnavailableError`."""
        await check_uploads(_Upload(self._bucket, self._writer, key, UNTYPED, unchecked))

    async def close(self) -> None:
        """Wait for running aborts; see `Aborts.close`."""
        await self._aborts.close()


class _Upload:
    """One upload. The first `send` creates it. `complete` or `abort` ends it."""

    def __init__(self, bucket: SdkBucket, writes: ObjectWriter, key: str, content_type: str, check: Check) -> None:
        self._bucket = bucket
        self._writer = writes
        self._key = key
        self._content_type = content_type
        self._check = check
        self._id = ""
        self._parts: list[Part] = []
        self._current_task: asyncio.Task[None] | None = None

    def raise_failure(self) -> None:
        """Raise the error of a part that has failed, so that it is noticed although the body has not ended."""
        if self._current_task is not None and self._current_task.done():
            self._current_task.result()

    async def send(self, part: BodyWithChecksum, release: Callable[[], None]) -> None:
        """Send a part in the background, once the part before is stored.

        `release` is called when the part is not needed any more, also after a failure.
        """
        try:
            if self._current_task is None:
                self._current_task = asyncio.create_task(retry_upload_request(self._create), name="create an upload")
            await asyncio.shield(self._current_task)
        except BaseException:
            release()
            raise
        self._current_task = asyncio.create_task(self._send(part), name="send a part")
        self._current_task.add_done_callback(lambda _: release())

    async def create(self) -> None:
        """Create the upload with one attempt, to check permissions. Otherwise the first `send` creates it."""
        self._current_task = asyncio.create_task(self._create(), name="create an upload")
        await asyncio.shield(self._current_task)

    async def _create(self) -> None:
        response = await self._writer.send(
            "create_multipart_upload", Key=self._key, ContentType=self._content_type, ChecksumAlgorithm="CRC32"
        )
        upload_id = response.get("UploadId")
        if not isinstance(upload_id, str) or not upload_id:
            raise StoreUnavailableError("the response of S3 to a new upload has no id")
        self._id = upload_id

    async def _send(self, part: BodyWithChecksum) -> None:
        number = len(self._parts) + 1

        async def attempt() -> str:
            response = await self._writer.send(
                "upload_part", Key=self._key, UploadId=self._id, PartNumber=number, **part
            )
            e_tag = response.get("ETag")
            if not isinstance(e_tag, str) or not e_tag:
                raise StoreUnavailableError("the response of S3 to a part has no ETag")
            return e_tag

        e_tag = await within_upload(attempt)
        self._parts.append(Part(e_tag, len(part["Body"]), part["ChecksumCRC32"]))

    async def complete(self) -> bool:
        """Complete the upload unless the key exists; return whether the object consists of these parts."""
        if self._current_task is not None:
            await asyncio.shield(self._current_task)
        return await within_upload(self._complete)

    async def _complete(self) -> bool:
        parts = [
            {"PartNumber": number, "ETag": part.e_tag, "ChecksumCRC32": part.crc32}
            for number, part in enumerate(self._parts, 1)
        ]
        try:
            response = await self._writer.create(
                "complete_multipart_upload",
                self._check,
                Key=self._key,
                UploadId=self._id,
                MultipartUpload={"Parts": parts},
            )
        except StoreMissingError:
            # The upload is gone. If it was completed and only the response was lost, the object exists.
            if not await self._is_our_object():
                raise
            return True
        return response is not None or await self._is_our_object()

    async def _is_our_object(self) -> bool:
        try:
            found = await self._bucket.call("get_object", Key=self._key, Range="bytes=0-0") or {}
        except StoreMissingError:
            return False
        if "Body" in found:
            found["Body"].close()
        return is_made_of(
            self._parts,
            content_range=found.get("ContentRange"),
            e_tag=str(found.get("ETag", "")),
            encryption=str(found.get("ServerSideEncryption", "")),
        )

    async def abort(self) -> None:
        """Abort the upload. If that fails, the lifecycle rule of the bucket deletes the parts."""
        task = self._current_task
        if task is None:
            return
        if self._id:
            # A part that arrives after the abort would be stored, and paid for.
            task.cancel()
        try:
            async with asyncio.timeout(ABORT_TIMEOUT_S):
                # The creation is not cancelled: an upload whose id is not known cannot be aborted.
                await asyncio.wait({task})
                if self._id:
                    await self._bucket.call("abort_multipart_upload", Key=self._key, UploadId=self._id)
        except (TimeoutError, StoreUnavailableError, StoreMissingError, StoreDeniedError):
            return
        finally:
            task.cancel()
            if task.done() and not task.cancelled():
                task.exception()
