"""S3 objects through the slim client: a small object costs one request, one answer and no waiting in between."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Container, Sequence
from itertools import islice

from dequeuer.errors import StoreDeniedError
from dequeuer.events import Observer, StoreCalled, StoreOp
from dequeuer.sinks.base import Check, Payload, unchecked
from dequeuer.sinks.s3_bucket import XML_TYPE, Bucket, checksum
from dequeuer.sinks.s3_download import UNTYPED, Downloads
from dequeuer.sinks.s3_errors import STORE_ERRORS, StoreError, code_in, kind_of, refused
from dequeuer.sinks.s3_listing import DELETIONS_LIMIT, GONE, LISTING_BYTES, check_deleted, deletion, listed
from dequeuer.sinks.s3_multipart import Uploads
from dequeuer.wire.aws_endpoint import AwsEndpoint, Request
from dequeuer.wire.pool import Reply
from dequeuer.wire.signing import query

_REFUSED = frozenset({304, 409, 412})


def open_wire_store(*, endpoint: AwsEndpoint, bucket: str, path_style: bool, observer: Observer) -> WireStore:
    """Open a bucket. Nothing is sent yet.

    Args:
        endpoint: where it is; closed with the store.
        bucket: its name.
        path_style: the name stands in the path; else the endpoint's host has it.
        observer: gets one `StoreCalled` a request.
    """
    return WireStore(Bucket(endpoint, bucket, path_style=path_style), observer)


class WireStore:
    """`Store` on a bucket. Every call is one attempt, except as its docstring says."""

    def __init__(self, bucket: Bucket, observer: Observer) -> None:
        self._bucket = bucket
        self._observer = observer
        self._uploads = Uploads(bucket)
        self._downloads = Downloads(bucket, self._report)

    async def close(self) -> None:
        """Close all connections, once what was given up is cleaned up."""
        await self._uploads.close()
        await self._bucket.close()

    async def get(self, key: str) -> Payload:
        """Open an object. A stream that breaks is taken up again where it broke, as long as it takes."""
        started = time.monotonic()
        try:
            payload = await self._downloads.open(key)
        except STORE_ERRORS as error:
            self._report("get", started, error, key)
            raise
        self._report("get", started)
        return payload

    async def list(self, prefix: str) -> Sequence[str]:
        """Return the keys below `prefix`: the first page of them."""
        started = time.monotonic()
        asked = query([("list-type", "2"), ("prefix", prefix), ("encoding-type", "url")])
        try:
            reply = await self._bucket.call(self._bucket.about(None, "GET", asked), limit=LISTING_BYTES)
            keys = listed(reply.body)
        except STORE_ERRORS as error:
            self._report("list", started, error, prefix)
            raise
        self._report("list", started)
        return keys

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object with one request."""
        request = self._bucket.about(key, "PUT", fields=(_typed(content_type),), body=body)
        await self._call("put", request, key)

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        """Write an object with one conditional request (`If-None-Match: *`)."""
        check()
        fields = (_typed(content_type), ("if-none-match", "*"))
        request = self._bucket.about(key, "PUT", fields=fields, body=body)
        return (await self._call("put", request, key, expected=_REFUSED)).status < 300

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,  # noqa: ARG002 - of no use yet
        check: Check = unchecked,
    ) -> bool:
        """Write in parts of 5 MiB, one under way at a time; each request is retried for up to two minutes."""
        started = time.monotonic()
        try:
            await self._uploads.send(key, body, _typed(content_type), check)
        except STORE_ERRORS as error:
            self._report("put", started, error, key)
            raise
        self._report("put", started)
        return True

    async def check_write(self, key: str) -> None:
        """Begin an upload and abort it: it needs the permissions and the key of a write, and leaves no object."""
        started = time.monotonic()
        try:
            await self._uploads.check(key)
        except STORE_ERRORS as error:
            self._report("put", started, error, key)
            raise
        self._report("put", started)

    async def delete(self, keys: Collection[str]) -> None:
        """Delete any number of objects with one request for each thousand."""
        if len(keys) == 1:
            await self._delete_one(*keys)
            return
        left = iter(keys)
        while page := list(islice(left, DELETIONS_LIMIT)):
            await self._delete_page(page)

    async def _delete_one(self, key: str) -> None:
        started = time.monotonic()
        try:
            reply = await self._bucket.call(self._bucket.about(key, "DELETE"), expected=(404,))
            if reply.status == 404 and (code := code_in(reply.body)) != GONE:
                raise refused(404, code)
        except STORE_ERRORS as error:
            self._report("delete", started, error)
            raise
        self._report("delete", started)

    async def _delete_page(self, keys: Sequence[str]) -> None:
        body = deletion(keys)
        request = self._bucket.about(None, "POST", "delete=", (checksum(body), XML_TYPE), body)
        started = time.monotonic()
        try:
            check_deleted((await self._bucket.call(request, limit=LISTING_BYTES)).body)
        except STORE_ERRORS as error:
            self._report("delete", started, error)
            raise
        self._report("delete", started)

    async def _call(self, op: StoreOp, request: Request, key: str, expected: Container[int] = ()) -> Reply:
        started = time.monotonic()
        try:
            reply = await self._bucket.call(request, expected=expected)
        except STORE_ERRORS as error:
            self._report(op, started, error, key)
            raise
        self._report(op, started)
        return reply

    def _report(self, op: StoreOp, started: float | None, error: StoreError | None = None, key: str = "") -> None:
        kind = None if error is None else kind_of(error)
        self._observer(
            StoreCalled(
                op=op,
                duration_s=0.0 if started is None else time.monotonic() - started,
                error=kind,
                detail="" if error is None or kind == "missing" else str(error),
                code=error.code if isinstance(error, StoreDeniedError) else "",
                key=key if kind == "denied" else "",
            )
        )


def _typed(content_type: str) -> tuple[str, str]:
    """Return the field that says so; what no header can say is left out: submitted text must not make headers."""
    return "content-type", content_type if content_type.isascii() and content_type.isprintable() else UNTYPED
