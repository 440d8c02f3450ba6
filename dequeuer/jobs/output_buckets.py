"""The buckets that results go to: that of the jobs, or one that a submission names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from dequeuer.sinks.base import ObjectStore


class OutputBuckets:
    """Opens a bucket for as long as it is used.

    Args:
        own_name: of the bucket of the jobs.
        own: that bucket; stays open.
        open_bucket: opens another one, which may belong to another account; nothing is sent.
        close_bucket: closes it.
    """

    def __init__(
        self,
        own_name: str,
        own: ObjectStore,
        open_bucket: Callable[[str], ObjectStore],
        close_bucket: Callable[[ObjectStore], Awaitable[None]],
    ) -> None:
        self._own_name = own_name
        self._own = own
        self._open_bucket = open_bucket
        self._close_bucket = close_bucket

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[ObjectStore]:
        """Return the context of a bucket."""
        if name == self._own_name:
            yield self._own
            return
        store = self._open_bucket(name)
        try:
            yield store
        finally:
            await self._close_bucket(store)
