"""How much there is to enqueue, for the time left. It may take a while, and the work does not wait for it."""

from __future__ import annotations

import asyncio
from typing import Final

from dequeuer.core.errors import DequeuerError
from dequeuer.enqueuer.content import coding_of
from dequeuer.enqueuer.payload import ItemArray, JobPayload
from dequeuer.formats.json_spans import elements
from dequeuer.jobs.file_search import Buckets, search_files

_ITEMS_AT_ONCE: Final = 2000


def counts_bytes(payload: JobPayload) -> bool:
    """Return whether the work is measured in bytes of files; otherwise in items."""
    return not isinstance(payload.source, ItemArray) and payload.source.lister == "delimited_files"


async def survey(payload: JobPayload, buckets: Buckets) -> int | None:
    """Return how much there is; None when it cannot be known: compressed files tell nothing about their content."""
    source = payload.source
    total = 0
    if isinstance(source, ItemArray):
        for total, _ in enumerate(elements(source.text, source.start), 1):
            if not total % _ITEMS_AT_ONCE:
                await asyncio.sleep(0)
        return total
    is_bytes = counts_bytes(payload)
    try:
        async for found in search_files(buckets, source.search):
            if is_bytes and coding_of(found.listed.key) is not None:
                return None
            total += found.listed.size if is_bytes else 1
    except DequeuerError:
        return None  # the enqueuer meets the same error, and tells it
    return total
