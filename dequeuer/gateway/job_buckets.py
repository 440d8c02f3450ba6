"""The buckets that submissions name, of which clients choose the names."""

from __future__ import annotations

from collections.abc import Callable

from dequeuer.core.errors import StoreDeniedError
from dequeuer.sinks.base import Listing

MAX_BUCKETS = 256
"""Opened in the life of the process; each has connections of its own."""


class SourceBuckets:
    """`jobs.file_search.Buckets`: opens each bucket once."""

    def __init__(self, open_bucket: Callable[[str], Listing]) -> None:
        self._open = open_bucket
        self._opened: dict[str, Listing] = {}

    def listing(self, bucket: str) -> Listing:
        """Return the listings of a bucket. Raises `StoreDeniedError` when there are `MAX_BUCKETS` others."""
        if bucket not in self._opened:
            if len(self._opened) >= MAX_BUCKETS:
                raise StoreDeniedError(f"{MAX_BUCKETS} buckets have been read already", "TooManyBuckets")
            self._opened[bucket] = self._open(bucket)
        return self._opened[bucket]
