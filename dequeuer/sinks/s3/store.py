"""`Store` on the slim client. A small object costs one request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from itertools import islice

from dequeuer.aws.endpoint import AwsEndpoint
from dequeuer.core.events import Observer
from dequeuer.sinks.base import Check, ListedObject, ListedPage, Payload, unchecked
from dequeuer.sinks.protection import UNPROTECTED, ObjectProtection
from dequeuer.sinks.s3.bucket import XML_TYPE, Bucket, checksum
from dequeuer.sinks.s3.calls import CallReporter
from dequeuer.sinks.s3.content_type import header_safe
from dequeuer.sinks.s3.download import Downloads
from dequeuer.sinks.s3.errors import code_in, refused
from dequeuer.sinks.s3.features import UNSUPPORTED_STATUSES, Features, may_be_unsupported
from dequeuer.sinks.s3.listing import (
    GONE,
    MAX_KEYS_PER_DELETION,
    MAX_LISTING_BYTES,
    MAX_PAGE_BYTES,
    check_deleted,
    deletion,
    page_of,
    page_query,
)
from dequeuer.sinks.s3.multipart import BUFFER_BYTES, Uploads
from dequeuer.sinks.s3.ranges import read_range
from dequeuer.sinks.s3.writing import ObjectWriter

MAX_CONCURRENT_DELETIONS = 8
"""For a store without DeleteObjects."""


def open_slim_store(  # noqa: PLR0913 - one parameter a fact of the bucket
    *,
    endpoint: AwsEndpoint,
    bucket: str,
    path_style: bool,
    observer: Observer,
    protection: ObjectProtection = UNPROTECTED,
    buffer_bytes: int = BUFFER_BYTES,
) -> SlimStore:
    """Open a bucket. Nothing is sent yet.

    Args:
        endpoint: of the bucket; closed with the store.
        bucket: its name.
        path_style: the bucket name is part of the path; otherwise of the host name of the endpoint.
        observer: gets one `StoreCalled` a request, and one `StoreFeatureMissing` for each feature that is not there.
        protection: of new objects.
        buffer_bytes: for the buffered parts of all uploads together.
    """
    return SlimStore(Bucket(endpoint, bucket, path_style=path_style, protection=protection), observer, buffer_bytes)


class SlimStore:
    """`Store` on a bucket. A call makes one attempt unless its docstring says otherwise."""

    def __init__(self, bucket: Bucket, observer: Observer, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._bucket = bucket
        self._calls = CallReporter(observer)
        self._features = Features(observer)
        self._writer = ObjectWriter(bucket, self._features)
        self._uploads = Uploads(bucket, self._features, buffer_bytes)
        self._downloads = Downloads(bucket, self._features, self._calls.report)

    async def close(self) -> None:
        """Wait for the aborts of uploads, then close all connections."""
        await self._uploads.close()
        await self._bucket.close()

    async def get(self, key: str) -> Payload:
        """Open an object. After a broken connection the stream is resumed, until the caller stops reading."""
        return await self._calls.run("get", self._downloads.open(key), key)

    async def list(self, prefix: str) -> Sequence[str]:
        """Return the first page of keys below `prefix`."""
        return await self._calls.run("list", self._bucket.list_keys(prefix), prefix)

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        """Return one page with one request."""
        request = self._bucket.request(None, "GET", page_query(prefix, after, token))

        async def ask() -> ListedPage:
            return page_of((await self._bucket.send(request, limit=MAX_PAGE_BYTES)).body)

        return await self._calls.run("list", ask(), prefix)

    async def read_range(self, listed: ListedObject, start: int, length: int) -> bytes:
        """Read with one request, on the condition that the object has still its ETag."""
        return await self._calls.run("get", read_range(self._bucket, listed, start, length), listed.key)

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        """Write an object with one request."""
        await self._calls.run(
            "put", self._writer.put(key, body, (("content-type", header_safe(content_type)),), check), key
        )

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        """Write an object with one conditional request (`If-None-Match: *`), if the store supports it."""
        return await self._calls.run(
            "put", self._writer.create(key, body, (("content-type", header_safe(content_type)),), check), key
        )

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,
        check: Check = unchecked,
    ) -> bool:
        """Write in parts of 5 MiB. Buffered parts are retried for up to 2 minutes; streamed parts are not."""
        fields = (("content-type", header_safe(content_type)),)
        return await self._calls.run("put", self._uploads.send(key, body, fields, size=size, check=check), key)

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
        reply = await self._bucket.send(self._bucket.request(key, "DELETE"), expected=(404,))
        if reply.status == 404 and (code := code_in(reply.body)) != GONE:
            raise refused(404, code)

    async def _delete_page(self, keys: Sequence[str]) -> None:
        body = deletion(keys)
        request = self._bucket.request(None, "POST", "delete=", (checksum(body), XML_TYPE), body)
        reply = await self._bucket.send(request, limit=MAX_LISTING_BYTES, expected=UNSUPPORTED_STATUSES)
        if may_be_unsupported(reply):
            await self._delete_each(keys)
            self._features.mark_missing("bulk_deletions")
            return
        if reply.status >= 300:
            raise self._bucket.refusal(reply)
        check_deleted(reply.body)

    async def _delete_each(self, keys: Sequence[str]) -> None:
        """Delete objects one by one, `MAX_CONCURRENT_DELETIONS` at a time. All are tried; the first error is raised."""
        left = iter(keys)

        async def work() -> None:
            for key in left:
                await self._delete_one(key)

        workers = [work() for _ in range(min(MAX_CONCURRENT_DELETIONS, len(keys)))]
        for result in await asyncio.gather(*workers, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
