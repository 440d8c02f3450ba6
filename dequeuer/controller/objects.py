"""Reads and writes the objects of jobs, each call within a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final, ParamSpec, TypeVar

from dequeuer.core.errors import DequeuerError, StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.retry import Backoff, RetryPolicy
from dequeuer.jobs.object_names import object_names
from dequeuer.sinks.base import ObjectStore

P = ParamSpec("P")
T = TypeVar("T")

MAX_OBJECT_BYTES: Final = 8 << 20
"""The largest is a specification with a config of 1 MiB, all of it escaped."""
CALL_TIMEOUT_S: Final = 20.0
"""For one call, its retries included."""
JSON_TYPE: Final = "application/json"
RETRIES: Final = RetryPolicy(backoff=Backoff(initial_s=0.2, max_s=2.0), max_attempts=4)
"""Of calls to an unavailable store."""


class ObjectTooLargeError(DequeuerError):
    """An object of a job is far larger than any that this project or Cortex writes."""


class JobObjects:
    """The objects of jobs in the bucket.

    Methods raise `StoreUnavailableError` and `StoreDeniedError`: the caller tries again with its next pass. `read` also
    raises `ObjectTooLargeError`.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def names(self, prefix: str) -> frozenset[str]:
        """Return the names of the objects directly below a prefix; a folder is `name/`."""
        return await _bounded(object_names, self._store, prefix)

    async def keys(self, prefix: str) -> list[str]:
        """Return all keys below a prefix."""
        found: list[str] = []
        token = ""
        while True:
            page = await _bounded(self._store.list_page, prefix, token=token)
            found += [listed.key for listed in page.objects]
            if not page.next_token:
                return found
            token = page.next_token

    async def read(self, key: str) -> bytes | None:
        """Return an object; None when there is none."""
        try:
            return await _bounded(self._read, key)
        except StoreMissingError:
            return None

    async def put(self, key: str, body: bytes = b"") -> None:
        """Write an object."""
        await _bounded(self._store.put, key, body, JSON_TYPE)

    async def create(self, key: str, body: bytes) -> bool:
        """Write an object unless there is one; return whether it was written.

        Hazard: False may also mean that it was written, and that the response was lost.
        """
        return await _bounded(self._store.create, key, body, JSON_TYPE)

    async def delete(self, keys: Collection[str]) -> None:
        """Delete objects. Missing ones are no error."""
        if keys:
            await _bounded(self._store.delete, keys)

    async def _read(self, key: str) -> bytes:
        found = await self._store.get(key)
        content = await found.read(MAX_OBJECT_BYTES)
        if content is None:
            raise ObjectTooLargeError(f"{key} has {found.size} bytes")
        return content


async def _bounded(call: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await RETRIES.call(StoreUnavailableError, call, *args, **kwargs)
    except TimeoutError as error:
        raise StoreUnavailableError("no response of the store in time") from error


STORE_ERRORS: Final = (StoreUnavailableError, StoreDeniedError)
