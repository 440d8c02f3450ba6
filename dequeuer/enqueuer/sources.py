"""The items of a job, from each of the three kinds of sources, in portions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import islice
from typing import Final

from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.retry import retry_until_available
from dequeuer.enqueuer.content import FileItems, coding_of
from dequeuer.enqueuer.files import JobFiles, SourceBuckets, unreadable
from dequeuer.enqueuer.model import TOO_LARGE_KIND, EnqueueFaultError, Portion, Skipped, too_large
from dequeuer.enqueuer.payload import ItemArray, JobPayload
from dequeuer.enqueuer.read_ahead import Segment, read_ahead, segments
from dequeuer.formats.go_json import encode
from dequeuer.formats.json_spans import elements
from dequeuer.formats.json_values import Value
from dequeuer.jobs.checkpoint import Checkpoint
from dequeuer.jobs.enqueue_error import EnqueueError

_PORTION_ITEMS: Final = 1000


def portions(
    payload: JobPayload, buckets: SourceBuckets, checkpoint: Checkpoint, item_limit: int
) -> AsyncGenerator[Portion, None]:
    """Return the items from the checkpoint on. Close the generator.

    Args:
        payload: says where the items are.
        buckets: of the files.
        checkpoint: where to begin.
        item_limit: largest item, bytes.

    Raises:
        EnqueueFaultError: also while it is read.
    """
    source = payload.source
    if isinstance(source, ItemArray):
        return _listed_items(source, checkpoint.place.offset, item_limit, skips=payload.skips_bad_items)
    files = JobFiles(buckets, source.search, checkpoint)
    if source.lister == "file_path_lister":
        return _file_paths(files)
    return _file_contents(files, item_limit, skips=payload.skips_bad_items)


async def _listed_items(source: ItemArray, begin: int, limit: int, *, skips: bool) -> AsyncGenerator[Portion, None]:
    numbered = enumerate(elements(source.text, source.start))
    while some := list(islice(numbered, _PORTION_ITEMS)):
        items: list[Value] = []
        skipped: list[Skipped] = []
        for index, (start, end) in some:
            if index < begin:
                continue
            if end - start <= limit:
                items.append(Value(source.text[start:end], index, index + 1))
                continue
            fault = EnqueueError(message=too_large(f"item {index}", end - start, limit), kind=TOO_LARGE_KIND)
            if not skips:
                raise EnqueueFaultError(fault)
            skipped.append(Skipped(fault, index))
        yield Portion(None, items, skipped, some[-1][0] + 1)


async def _file_paths(files: JobFiles) -> AsyncGenerator[Portion, None]:
    async for file, offset in files:
        path = Value(encode(file.path).encode(), 0, 1)
        yield Portion(file, () if offset else (path,), (), 1)


async def _file_contents(files: JobFiles, limit: int, *, skips: bool) -> AsyncGenerator[Portion, None]:
    async def read(segment: Segment) -> bytes:
        reads, file = files.reads(segment.file), segment.file
        parts: list[bytes] = []
        at, end = segment.start, segment.start + segment.length
        try:
            while at < end:
                parts.append(
                    await retry_until_available(StoreUnavailableError, reads.read_range, file.listed, at, end - at)
                )
                at += len(parts[-1])
        except (StoreMissingError, StoreDeniedError) as error:
            raise unreadable(file, error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    wanted = segments(aiter(files), begins_at_zero=lambda file: coding_of(file.listed.key) is not None)
    async with aclosing(read_ahead(wanted, read)) as parts:
        items: FileItems | None = None
        file = None
        async for segment, body in parts:
            if items is None or segment.file is not file:
                file = segment.file
                items = FileItems(file, segment.begin, limit=limit, skips=skips)
            for portion in items.feed(body, is_last=segment.is_last):
                yield portion
