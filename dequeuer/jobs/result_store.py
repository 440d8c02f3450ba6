"""The bucket with the results of a job: each call is retried, and takes a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import Final, TypeVar

from dequeuer.core.errors import StoreMissingError, StoreUnavailableError
from dequeuer.core.retry import RetryPolicy
from dequeuer.sinks.base import ListedPage, ObjectStore

T = TypeVar("T")

CALL_TIMEOUT_S: Final = 60.0
"""For a call with its retries, and for each chunk of an object that is streamed."""


class ResultStore:
    """Reads results.

    Methods raise `StoreDeniedError`, and `StoreUnavailableError`: also for an object that is gone since it was listed.

    Args:
        store: the bucket.
        retry: of calls while it is unavailable.
    """

    def __init__(self, store: ObjectStore, retry: RetryPolicy) -> None:
        self._store = store
        self._retry = retry

    async def exists(self, key: str) -> bool:
        """Return whether there is an object."""
        return key in await _bounded(self._retry.call(StoreUnavailableError, self._store.list, key))

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        """Return a page of a listing."""
        page = self._retry.call(StoreUnavailableError, self._store.list_page, prefix, after=after, token=token)
        return await _bounded(page)

    async def whole(self, key: str) -> bytes:
        """Return an object; for small ones."""

        async def read() -> bytes:
            return b"".join([chunk async for chunk in (await self._store.get(key)).chunks])

        return await _bounded(self._retry.call(StoreUnavailableError, read))

    async def chunks(self, key: str) -> AsyncGenerator[bytes, None]:
        """Yield the content of an object, of any size. Close it."""
        payload = await _bounded(self._retry.call(StoreUnavailableError, self._store.get, key))
        try:
            while chunk := await _bounded(anext(payload.chunks, b"")):
                yield chunk
        finally:
            await payload.close()


async def _bounded(call: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await call
    except TimeoutError as error:
        raise StoreUnavailableError("no response of the store of the results in time") from error
    except StoreMissingError as error:
        raise StoreUnavailableError("an object of the results was deleted while they were read") from error
