"""`Store` on the SDK's client of S3."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from itertools import islice
from typing import TypeVar

from dequeuer.errors import StoreDeniedError
from dequeuer.events import Observer, StoreCalled, StoreOp
from dequeuer.refusal_codes import is_refusal
from dequeuer.sinks.base import Check, Payload, unchecked
from dequeuer.sinks.s3_download import UNTYPED
from dequeuer.sinks.s3_errors import STORE_ERRORS, StoreError, error_code, kind_of, refused
from dequeuer.sinks.s3_features import Features, may_mean_unsupported, means_unsupported
from dequeuer.sinks.s3_listing import DELETIONS_LIMIT, GONE
from dequeuer.sinks.s3_sdk.bucket import Refusal, SdkBucket
from dequeuer.sinks.s3_sdk.download import Downloads
from dequeuer.sinks.s3_sdk.integrity import checked
from dequeuer.sinks.s3_sdk.upload import Uploads
from dequeuer.sinks.s3_sdk.writing import Writes, keys_below

T = TypeVar("T")


class SdkStore:
    """`Store` on a bucket. Every call is one attempt, except as its docstring says."""

    def __init__(self, bucket: SdkBucket, observer: Observer) -> None:
        self._bucket = bucket
        self._observer = observer
        self._features = Features(observer)
        self._writes = Writes(bucket, self._features)
        self._uploads = Uploads(bucket, self._writes)
        self._downloads = Downloads(bucket, self._report)

    async def close(self) -> None:
        """Close all connections, once uploads that were given up are aborted."""
        await self._uploads.close()
        await self._bucket.close()

    async def get(self, key: str) -> Payload:
        """Open an object. A stream that breaks is resumed where it broke, for as long as the caller waits."""
        return await self._reported("get", key, self._downloads.open(key))

    async def list(self, prefix: str) -> Sequence[str]:
        """Return the keys below `prefix`: the first page of them."""
        # The SDK asks for escaped keys by itself, and undoes it.
        return await self._reported("list", prefix, keys_below(self._bucket, prefix))

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object with one request."""
        putting = self._writes.send("put_object", Key=key, ContentType=_typed(content_type), **checked(body))
        await self._reported("put", key, putting)

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        """Write an object with one conditional request (`If-None-Match: *`)."""
        creating = self._writes.create("put_object", check, Key=key, ContentType=_typed(content_type), **checked(body))
        return await self._reported("put", key, creating) is not None

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,  # noqa: ARG002 - the SDK's client sends no body that is still under way
        check: Check = unchecked,
    ) -> bool:
        """Write in parts of 5 MiB, one under way at a time; each request is retried for up to two minutes."""
        return await self._reported("put", key, self._uploads.send(key, body, _typed(content_type), check))

    async def check_write(self, key: str) -> None:
        """Begin an upload and abort it: it needs the permissions and the key of a write, and leaves no object."""
        await self._reported("put", key, self._uploads.check(key))

    async def delete(self, keys: Collection[str]) -> None:
        """Delete any number of objects with one request for each thousand."""
        if len(keys) == 1:
            await self._reported("delete", "", self._delete_one(*keys))
            return
        left = iter(keys)
        while page := list(islice(left, DELETIONS_LIMIT)):
            is_single = self._features.lacks("bulk_deletions")
            await self._reported("delete", "", self._delete_each(page) if is_single else self._delete_page(page))

    async def _delete_one(self, key: str) -> None:
        await self._bucket.call("delete_object", expected=_is_gone, Key=key)

    async def _delete_page(self, keys: Sequence[str]) -> None:
        objects = [{"Key": key} for key in keys]
        answer = await self._bucket.attempt("delete_objects", Delete={"Objects": objects, "Quiet": True})
        if isinstance(answer, Refusal):
            # The SDK leaves out no checksum here: a store that knows none refuses all deletions in bulk.
            means = may_mean_unsupported if self._features.lacks("checksums") else means_unsupported
            if not means(answer.status, answer.code):
                raise answer.translated() from answer.error
            self._features.note("bulk_deletions")
            await self._delete_each(keys)
            return
        codes = [error_code(str(failed.get("Code", ""))) for failed in answer.get("Errors", ())]
        failures = [code for code in codes if code != GONE]
        if failures:
            raise refused(200, next((code for code in failures if is_refusal(200, code)), failures[0]))

    async def _delete_each(self, keys: Sequence[str]) -> None:
        for key in keys:
            await self._delete_one(key)

    async def _reported(self, op: StoreOp, key: str, call: Awaitable[T]) -> T:
        started = time.monotonic()
        try:
            answer = await call
        except STORE_ERRORS as error:
            self._report(op, started, error, key)
            raise
        self._report(op, started)
        return answer

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


def _typed(content_type: str) -> str:
    """Return the type, or S3's word for none: submitted text that no header can carry is left out."""
    return content_type if content_type.isascii() and content_type.isprintable() else UNTYPED


def _is_gone(status: int, code: str) -> bool:
    return status == 404 and code == GONE
