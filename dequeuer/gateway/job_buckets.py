"""The buckets that submissions name, of which clients choose the names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.sinks.base import ListedPage, ObjectStore

MAX_BUCKETS = 256
"""Open at the same time; each has connections of its own."""


@dataclass(slots=True)
class _Open:
    store: ObjectStore
    users: int = 0


class SourceBuckets:
    """`jobs.file_search.Buckets`: buckets stay open; the one that was not used for longest makes room for another.

    Args:
        open_bucket: opens one; nothing is sent.
        close_bucket: closes its connections.
    """

    def __init__(
        self, open_bucket: Callable[[str], ObjectStore], close_bucket: Callable[[ObjectStore], Awaitable[None]]
    ) -> None:
        self._open_bucket = open_bucket
        self._close_bucket = close_bucket
        self._open: dict[str, _Open] = {}
        """The one that was not used for longest comes first."""

    def listing(self, bucket: str) -> _BucketListing:
        """Return the listings of a bucket."""
        return _BucketListing(self, bucket)

    async def list_page(self, bucket: str, prefix: str, after: str, token: str) -> ListedPage:
        """Return one page. Raises `StoreUnavailableError` when `MAX_BUCKETS` others are being listed; as the store."""
        unused = None
        opened = self._open.pop(bucket, None)
        if opened is None:
            if len(self._open) >= MAX_BUCKETS:
                unused = self._take_unused()
            opened = _Open(self._open_bucket(bucket))
        self._open[bucket] = opened
        opened.users += 1
        try:
            if unused is not None:
                await self._close_bucket(unused)
            return await opened.store.list_page(prefix, after=after, token=token)
        finally:
            opened.users -= 1

    def _take_unused(self) -> ObjectStore:
        name = next((name for name, opened in self._open.items() if not opened.users), None)
        if name is None:
            raise StoreUnavailableError(f"{MAX_BUCKETS} buckets are being listed already")
        return self._open.pop(name).store


class _BucketListing:
    """`Listing` of a bucket, which is opened for each page if it is not open."""

    def __init__(self, buckets: SourceBuckets, bucket: str) -> None:
        self._buckets = buckets
        self._bucket = bucket

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        """Return one page with one request."""
        return await self._buckets.list_page(self._bucket, prefix, after, token)
