"""The files of a submission: which objects its S3 paths and globs select, in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError, clip
from dequeuer.core.retry import UNTIL_AVAILABLE, RetryPolicy
from dequeuer.jobs.globs import Glob, compile_globs
from dequeuer.jobs.s3_path import S3Path, parse_s3_path
from dequeuer.sinks.base import ListedObject, ListedPage, Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSearch:
    """What a submission says about its files.

    Attributes:
        s3_paths: prefixes, such as `s3://bucket/folder`; listed one after the other.
        includes: globs on whole paths; a file must match one of them. None: every file is taken.
        excludes: likewise; a file that matches one of them is left out.
    """

    s3_paths: tuple[str, ...]
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A file's place in the order of a search: the index of its S3 path, and its key."""

    path_index: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Object:
    """A file that was found. `position`: the search can be continued after it."""

    path: S3Path
    listed: ListedObject
    position: Position


class FilesDeniedError(StoreDeniedError):
    """The files below `path` may not be listed, or there is no such bucket."""

    def __init__(self, path: S3Path, error: StoreDeniedError) -> None:
        # What the store says of our own bucket, which setting names it, would mislead.
        reason = "there is no such bucket" if error.code == "NoSuchBucket" else str(error)
        super().__init__(f"{clip(str(path))}: {reason}", error.code)
        self.path = path


class Buckets(Protocol):
    """Buckets in any region. Nothing is sent when one is opened."""

    def listing(self, bucket: str) -> Listing:
        """Return the listings of a bucket."""


async def search_files(
    buckets: Buckets,
    search: FileSearch,
    *,
    after: Position | None = None,
    retry: RetryPolicy = UNTIL_AVAILABLE,
) -> AsyncIterator[S3Object]:
    """Yield the files in the order of Cortex: path by path, by key. What two paths have in common is found twice.

    Keys that end in `/` (folders) are left out.

    Args:
        buckets: where they are.
        search: what is wanted.
        after: begin with the file that follows this position. The file itself need not be there any more.
        retry: for each page while the store is unavailable.

    Raises:
        InvalidS3PathError, GlobError: the search is not valid; nothing was sent.
        FilesDeniedError, StoreUnavailableError: as the listings and `retry` say.
    """
    paths = [parse_s3_path(text) for text in search.s3_paths]
    selection = _Selection(search)
    for path_index, path in enumerate(paths):
        if after is not None and path_index < after.path_index:
            continue
        begin = after.key if after is not None and path_index == after.path_index else ""
        async for page in _pages(buckets.listing(path.bucket), path, begin, retry):
            for listed in page.objects:
                found = S3Path(path.bucket, listed.key)
                if not listed.key.endswith("/") and await selection.holds(str(found)):
                    yield S3Object(path=found, listed=listed, position=Position(path_index=path_index, key=listed.key))


async def _pages(listing: Listing, path: S3Path, after: str, retry: RetryPolicy) -> AsyncIterator[ListedPage]:
    token = ""
    while True:
        begin = "" if token else after
        try:
            page = await retry.call(StoreUnavailableError, listing.list_page, path.key, after=begin, token=token)
        except StoreDeniedError as error:
            raise FilesDeniedError(path, error) from error
        if begin and page.objects and page.objects[0].key.encode() <= begin.encode():
            raise StoreDeniedError("the listing does not begin after the key that was asked for")
        yield page
        if not page.next_token:
            return
        token = page.next_token


class _Selection:
    """The globs of a search."""

    def __init__(self, search: FileSearch) -> None:
        self._includes, self._excludes = _compiled(search.includes), _compiled(search.excludes)

    async def holds(self, path: str) -> bool:
        """Return whether a file is wanted."""
        if self._includes is not None and not await _matches(self._includes, path):
            return False
        return self._excludes is None or not await _matches(self._excludes, path)


def _compiled(patterns: Sequence[str]) -> Glob | None:
    return compile_globs(patterns) if patterns else None


async def _matches(glob: Glob, path: str) -> bool:
    for result in glob.scan(path):
        if result is not None:
            return result
        await asyncio.sleep(0)
    return False
