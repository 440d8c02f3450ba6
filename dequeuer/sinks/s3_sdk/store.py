"""`Store` on the SDK's client of S3."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from itertools import islice

from dequeuer.core.events import Observer
from dequeuer.sinks.base import Check, ListedObject, ListedPage, Payload, unchecked
from dequeuer.sinks.s3.calls import CallReporter
from dequeuer.sinks.s3.content_type import header_safe
from dequeuer.sinks.s3.errors import error_code
from dequeuer.sinks.s3.features import Features, may_mean_unsupported
from dequeuer.sinks.s3.listing import GONE, MAX_KEYS_PER_DELETION, check_deletion_errors
from dequeuer.sinks.s3_sdk.bucket import Refusal, SdkBucket
from dequeuer.sinks.s3_sdk.download import Downloads
from dequeuer.sinks.s3_sdk.integrity import with_checksum
from dequeuer.sinks.s3_sdk.listing import keys_below, list_page
from dequeuer.sinks.s3_sdk.ranges import read_range
from dequeuer.sinks.s3_sdk.upload import Uploads
from dequeuer.sinks.s3_sdk.writing import ObjectWriter


class SdkStore:
    """`Store` on a bucket. A call makes one attempt unless its docstring says otherwise."""

    def __init__(self, bucket: SdkBucket, observer: Observer) -> None:
        self._bucket = bucket
        self._calls = CallReporter(observer)
        self._features = Features(observer)
        self._writer = ObjectWriter(bucket, self._features)
        self._uploads = Uploads(bucket, self._writer)
        self._downloads = Downloads(bucket, self._calls.report)

    async def close(self) -> None:
        """Wait for the aborts of uploads, then close all connections."""
        await self._uploads.close()
        await self._bucket.close()

    async def get(self, key: str) -> Payload:
        """Open an object. After a broken connection the stream is resumed, until the caller stops reading."""
        return await self._calls.run("get", self._downloads.open(key), key)

    async def list(self, prefix: str) -> Sequence[str]:
        """Return the first page of keys below `prefix`."""
        return await self._calls.run("list", keys_below(self._bucket, prefix), prefix)

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        """Return one page with one request."""
        return await self._calls.run("list", list_page(self._bucket, prefix, after, token), prefix)

    async def read_range(self, listed: ListedObject, start: int, length: int) -> bytes:
        """Read with one request, on the condition that the object has still its ETag."""
        return await self._calls.run("get", read_range(self._bucket, listed, start, length), listed.key)

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        """Write an object with one request."""
        putting = self._writer.send(
            "put_object", check, Key=key, ContentType=header_safe(content_type), **with_checksum(body)
        )
        await self._calls.run("put", putting, key)

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        """Write an object with one conditional request (`If-None-Match: *`), if the store supports it."""
        creating = self._writer.create(
            "put_object", check, Key=key, ContentType=header_safe(content_type), **with_checksum(body)
        )
        return await self._calls.run("put", creating, key) is not None

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,  # noqa: ARG002 - the SDK's client sends only whole bodies
        check: Check = unchecked,
    ) -> bool:
        """Write in parts of 5 MiB, one at a time; each request is retried for up to 2 minutes."""
        return await self._calls.run("put", self._uploads.send(key, body, header_safe(content_type), check), key)

    async def check_write(self, key: str) -> None:
        """Create an upload and abort it: this needs the permissions of a write, and leaves no object."""
        await self._calls.run("put", self._uploads.check(key), key)

    async def delete(self, keys: Collection[str]) -> None:
        """Delete any number of objects, with one request for each 1,000."""
        if len(keys) == 1:
            await self._calls.run("delete", self._delete_one(*keys), *keys)
            return
        left = iter(keys)
        while page := list(islice(left, MAX_KEYS_PER_DELETION)):
            is_single = self._features.lacks("bulk_deletions")
            await self._calls.run("delete", self._delete_each(page) if is_single else self._delete_page(page))

    async def _delete_one(self, key: str) -> None:
        await self._bucket.call("delete_object", expected=_is_gone, Key=key)

    async def _delete_page(self, keys: Sequence[str]) -> None:
        objects = [{"Key": key} for key in keys]
        response = await self._bucket.attempt("delete_objects", Delete={"Objects": objects, "Quiet": True})
        if isinstance(response, Refusal):
            # A store without DeleteObjects.
            if not may_mean_unsupported(response.status, response.code):
                raise response.translated() from response.error
            await self._delete_each(keys)
            self._features.mark_missing("bulk_deletions")
            return
        check_deletion_errors([error_code(str(failed.get("Code", ""))) for failed in response.get("Errors", ())])

    async def _delete_each(self, keys: Sequence[str]) -> None:
        for key in keys:
            await self._delete_one(key)


def _is_gone(status: int, code: str) -> bool:
    return status == 404 and code == GONE
