"""One multipart upload: created with its first part, several parts sent at a time, then completed or aborted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from dequeuer.aws.signing import Fields, query
from dequeuer.aws.xml import escape
from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.http.pool import Reply
from dequeuer.sinks.base import Check
from dequeuer.sinks.s3.bucket import XML_TYPE, Bucket
from dequeuer.sinks.s3.checksum import crc32_field
from dequeuer.sinks.s3.document import read_document
from dequeuer.sinks.s3.errors import error_code, refused
from dequeuer.sinks.s3.features import UNSUPPORTED_STATUSES, Features, is_unsupported, may_be_unsupported
from dequeuer.sinks.s3.parts import ABORT_TIMEOUT_S, Part, is_made_of, within_upload
from dequeuer.sinks.s3.retry import retry_upload_request
from dequeuer.sinks.s3.streamed_part import StreamedParts
from dequeuer.sinks.s3.writing import EXISTS_STATUSES, IF_NONE_MATCH

MAX_UNANSWERED_PARTS = 4
"""Parts of one upload without a response when another one is streamed. Each uses a connection."""
_ALGORITHM = ("x-amz-checksum-algorithm", "CRC32")
_FULL_OBJECT = ("x-amz-checksum-type", "FULL_OBJECT")


class Upload:
    """One upload. Nothing is sent before the first part. `complete` or `abort` ends it.

    Args:
        bucket: the bucket.
        features: what the store lacks.
        key: of the object.
        fields: its Content-Type.
        check: called directly before each attempt to complete it.
    """

    def __init__(self, bucket: Bucket, features: Features, key: str, fields: Fields, check: Check) -> None:
        self._bucket = bucket
        self._features = features
        self._key = key
        self._fields = fields
        self._check = check
        self._id = ""
        self._has_checksums = False
        self.is_completed = False
        """Whether S3 has confirmed the completion, so that there is nothing to abort."""
        self._streamed = StreamedParts(bucket, features)
        self._creation: asyncio.Task[None] | None = None
        self._part_tasks: set[asyncio.Task[None]] = set()
        self._part_count = 0
        self._parts: dict[int, Part] = {}
        self._failure: BaseException | None = None

    def raise_failure(self) -> None:
        """Raise the error of a part that has failed, so that it is noticed although the body has not ended."""
        if self._failure is not None:
            raise self._failure

    async def send_buffered(self, part: bytearray, release: Callable[[], None]) -> None:
        """Send a part in the background, with retries.

        `release` is called when the part is not needed any more, also after a failure.
        """
        try:
            await self._ensure_created()
        except BaseException:
            release()
            raise
        task = asyncio.create_task(self._send(self._next_number(), part), name="send a part")
        task.add_done_callback(lambda _: release())
        self._track(task)

    def _track(self, task: asyncio.Task[None]) -> None:
        def on_done(task: asyncio.Task[None]) -> None:
            self._part_tasks.discard(task)
            if not task.cancelled():
                # Retrieved in any case: asyncio logs errors that are never retrieved.
                error = task.exception()
                self._failure = self._failure or error

        self._part_tasks.add(task)
        task.add_done_callback(on_done)

    async def send_streamed(self, pieces: AsyncIterator[bytes], length: int) -> None:
        """Send a part while it is read; return when `pieces` has ended. It cannot be retried.

        Returns before the response of S3: a store that takes seconds for it would block the container, whose write
        timeout runs while its response is not read.

        Raises:
            Errors of `pieces`.
            StoreDeniedError, StoreUnavailableError: the upload has failed.
        """
        await self._ensure_created()
        number = self._next_number()
        await retry_upload_request(lambda: self._streamed.prepare(self._key, self._of_part(number)))
        while len(self._part_tasks) >= MAX_UNANSWERED_PARTS and self._failure is None:
            await asyncio.wait(set(self._part_tasks), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # lets their callbacks run
        self.raise_failure()
        over = asyncio.Event()
        task = asyncio.create_task(self._send_streamed(number, _signal_end(pieces, over), length), name="stream a part")
        self._track(task)
        task.add_done_callback(lambda _: over.set())
        try:
            await over.wait()
        except BaseException:
            # The task reads from `pieces`, which the caller closes next.
            task.cancel()
            await asyncio.wait({task})
            raise
        self.raise_failure()

    async def _send_streamed(self, number: int, pieces: AsyncIterator[bytes], length: int) -> None:
        e_tag, crc32 = await self._streamed.send(self._key, self._of_part(number), pieces, length)
        self._parts[number] = Part(e_tag, length, crc32)

    async def wait_for_parts(self) -> None:
        """Wait until all parts are stored. Raises the first failure."""
        while self._part_tasks and self._failure is None:
            await asyncio.wait(set(self._part_tasks), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # lets their callbacks run
        self.raise_failure()

    def _next_number(self) -> int:
        self._part_count += 1
        return self._part_count

    async def _ensure_created(self) -> None:
        self.raise_failure()
        if self._creation is None:
            self._creation = asyncio.create_task(retry_upload_request(self._create), name="create an upload")
        # Not cancelled with its caller: an upload whose id is not known cannot be aborted.
        await asyncio.shield(self._creation)

    async def create(self) -> None:
        """Create the upload with one attempt, to check permissions. Otherwise the first part creates it."""
        self._creation = asyncio.create_task(self._create(), name="create an upload")
        await asyncio.shield(self._creation)

    async def _create(self) -> None:
        common = [*self._fields, *self._bucket.protection.creation_fields()]
        refusal: Reply | None = None
        for has_checksums, is_full in self._checksum_variants():
            fields = [*common, *([_ALGORITHM] if has_checksums else []), *([_FULL_OBJECT] if is_full else [])]
            request = self._bucket.request(self._key, "POST", "uploads=", fields)
            reply = await self._bucket.send(request, expected=UNSUPPORTED_STATUSES)
            if reply.status < 300:
                break
            refusal = refusal or reply
            if not may_be_unsupported(reply):
                break
        if reply.status >= 300:
            raise self._bucket.refusal(refusal or reply)
        if refusal is not None:
            self._features.mark_missing("full_object_checksums" if has_checksums else "checksums")
        found = read_document(reply.body, "InitiateMultipartUploadResult").first("UploadId")
        if not found:
            raise StoreUnavailableError("the response of S3 to a new upload has no id")
        self._id, self._has_checksums = found, has_checksums

    def _checksum_variants(self) -> list[tuple[bool, bool]]:
        """Return the variants to try: (with checksums, with a checksum of the whole object)."""
        if self._features.lacks("checksums"):
            return [(False, False)]
        if self._features.lacks("full_object_checksums"):
            return [(True, False), (False, False)]
        return [(True, True), (True, False), (False, False)]

    def _of_part(self, number: int) -> str:
        return query([("partNumber", str(number)), ("uploadId", self._id)])

    async def _send(self, number: int, body: bytearray) -> None:
        crc32 = crc32_field(body)
        fields = () if self._features.lacks("checksums") else (crc32,)
        request = self._bucket.request(self._key, "PUT", self._of_part(number), fields, body)

        async def attempt() -> str:
            e_tag = (await self._bucket.send(request)).field("etag")
            if not e_tag:
                raise StoreUnavailableError("the response of S3 to a part has no ETag")
            return e_tag

        self._parts[number] = Part(await within_upload(attempt), len(body), crc32[1])

    async def complete(self) -> bool:
        """Complete the upload unless the key exists; return whether the object consists of these parts."""
        await self.wait_for_parts()
        return await within_upload(self._complete)

    async def _complete(self) -> bool:
        is_conditional = not self._features.lacks("conditional_writes")
        if not is_conditional and await self._key_exists():
            return await self._is_our_object()
        try:
            reply = await self._send_completion(is_conditional=is_conditional)
            if is_conditional and is_unsupported(reply):
                if await self._key_exists():
                    return await self._is_our_object()
                reply = await self._send_completion(is_conditional=False)
                if reply.status < 300:
                    self._features.mark_missing("conditional_writes")
        except StoreMissingError:
            # The upload is gone. If it was completed and only the response was lost, the object exists.
            if await self._is_our_object():
                return True
            raise
        if reply.status in EXISTS_STATUSES:
            return await self._is_our_object()
        if reply.status >= 300:
            raise self._bucket.refusal(reply)
        # S3 sends status 200 before it joins the parts; the body tells whether that succeeded.
        document = read_document(reply.body.strip())
        if document.name != "CompleteMultipartUploadResult":
            raise refused(200, error_code(document.first("Code")))
        self.is_completed = True
        return True

    async def _key_exists(self) -> bool:
        return self._key in await self._bucket.list_keys(self._key)

    async def _send_completion(self, *, is_conditional: bool) -> Reply:
        entries = "".join([self._entry(number, part) for number, part in sorted(self._parts.items())])
        namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
        body = f'<CompleteMultipartUpload xmlns="{namespace}">{entries}</CompleteMultipartUpload>'.encode()
        fields = (XML_TYPE, IF_NONE_MATCH) if is_conditional else (XML_TYPE,)
        request = self._bucket.request(self._key, "POST", query([("uploadId", self._id)]), fields, body)
        self._check()
        return await self._bucket.send(request, expected=EXISTS_STATUSES | UNSUPPORTED_STATUSES)

    def _entry(self, number: int, part: Part) -> str:
        checksum = f"<ChecksumCRC32>{part.crc32}</ChecksumCRC32>" if self._has_checksums else ""
        return f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(part.e_tag)}</ETag>{checksum}</Part>"

    async def _is_our_object(self) -> bool:
        request = self._bucket.request(self._key, "GET", fields=(("range", "bytes=0-0"),))
        try:
            reply = await self._bucket.send(request)
        except StoreMissingError:
            return False
        return is_made_of(
            [part for _, part in sorted(self._parts.items())],
            content_range=reply.field("content-range"),
            e_tag=reply.field("etag") or "",
            encryption=reply.field("x-amz-server-side-encryption") or "",
        )

    async def abort(self) -> None:
        """Abort the upload. If that fails, the lifecycle rule of the bucket deletes the parts."""
        if self._creation is None:
            return
        tasks = set(self._part_tasks)
        for task in tasks:
            # A part that arrives after the abort would be stored, and paid for.
            task.cancel()
        try:
            async with asyncio.timeout(ABORT_TIMEOUT_S):
                await asyncio.wait({self._creation, *tasks})
                if self._id:
                    await self._bucket.send(self._bucket.request(self._key, "DELETE", query([("uploadId", self._id)])))
        except (TimeoutError, StoreUnavailableError, StoreMissingError, StoreDeniedError):
            return
        finally:
            self._creation.cancel()
            if self._creation.done() and not self._creation.cancelled():
                self._creation.exception()


async def _signal_end(pieces: AsyncIterator[bytes], over: asyncio.Event) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece
    over.set()
