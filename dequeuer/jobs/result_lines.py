"""Streams the lines of a job's results in the order of its items, in bounded memory."""

from __future__ import annotations

import heapq
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from dequeuer.concurrency.in_order import in_order
from dequeuer.jobs.result_objects import ResultBatch
from dequeuer.jobs.result_store import ResultStore

SMALL_BYTES: Final = 256 * 1024
"""Objects up to this size are read ahead, whole. A larger one is streamed when it is due."""
MAX_BYTES_AHEAD: Final = 4 * 1024 * 1024
MAX_BATCHES_AHEAD: Final = 16
_MAX_INDEX_BYTES: Final = 32
_line_index = re.compile(rb'\{"index":([0-9]{1,15})[,}]').match


async def result_lines(store: ResultStore, batches: AsyncIterator[ResultBatch]) -> AsyncGenerator[bytes, None]:
    """Yield lines, several or a piece of one at a time. Of each batch the lines of all objects are merged by `index`.

    Args:
        store: the bucket of the results.
        batches: in their order; an error of it is raised after what comes before it.

    Raises:
        StoreUnavailableError, StoreDeniedError: as the store.
    """

    async def begin(batch: ResultBatch) -> list[AsyncGenerator[bytes, None]]:
        """Return the content of the objects of a batch. Small ones are read now."""
        listed = [one.listed for one in batch.objects if one.listed.size]
        return [
            _one_chunk(await store.whole(one.key)) if one.size <= SMALL_BYTES else store.chunks(one.key)
            for one in listed
        ]

    ahead = in_order(batches, begin, max_ahead=MAX_BATCHES_AHEAD, size=_bytes_ahead, max_size=MAX_BYTES_AHEAD)
    async with aclosing(ahead):
        async for _, sources in ahead:
            async with aclosing(_merged(sources)) as chunks:
                async for chunk in chunks:
                    yield chunk


def _bytes_ahead(batch: ResultBatch) -> int:
    return sum(one.listed.size for one in batch.objects if one.listed.size <= SMALL_BYTES)


async def _one_chunk(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


async def _merged(sources: list[AsyncGenerator[bytes, None]]) -> AsyncGenerator[bytes, None]:
    """Yield the lines of several sources by index; each of them is ordered by it."""
    ended = [_with_line_end(source) for source in sources]
    try:
        if len(ended) == 1:
            async for chunk in ended[0]:
                yield chunk
            return
        heap: list[tuple[int, int, _Lines]] = []
        for order, chunks in enumerate(ended):
            lines = _Lines(chunks)
            if await lines.has_more():
                heap.append((lines.index, order, lines))
        heapq.heapify(heap)
        while heap:
            _, order, lines = heap[0]
            async with aclosing(lines.next_line()) as pieces:
                async for piece in pieces:
                    yield piece
            if await lines.has_more():
                heapq.heapreplace(heap, (lines.index, order, lines))
            else:
                heapq.heappop(heap)
    finally:
        for chunks in (*ended, *sources):
            await chunks.aclose()


async def _with_line_end(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield chunks, and a line end where the last line has none: the next one must not be joined to it."""
    last = b"\n"
    async for chunk in chunks:
        if chunk:
            last = chunk
            yield chunk
    if not last.endswith(b"\n"):
        yield b"\n"


class _Lines:
    """The lines of one object, each with its index; a line may be larger than the memory."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = b""
        self._at = 0
        self.index = -1
        """Of the next line. A line that has none stays behind the one before it."""

    async def has_more(self) -> bool:
        """Find the next line; return False at the end."""
        while len(self._buffer) - self._at < _MAX_INDEX_BYTES and self._buffer.find(b"\n", self._at) < 0:
            chunk = await anext(self._chunks, b"")
            if not chunk:
                break
            self._buffer, self._at = self._buffer[self._at :] + chunk, 0
        if (found := _line_index(self._buffer, self._at)) is not None:
            self.index = int(found[1])
        return self._at < len(self._buffer)

    async def next_line(self) -> AsyncGenerator[bytes, None]:
        """Yield the line in pieces."""
        while (end := self._buffer.find(b"\n", self._at) + 1) == 0:
            piece, self._at = self._buffer[self._at :], 0
            self._buffer = b""
            yield piece
            self._buffer = await anext(self._chunks, b"")
            if not self._buffer:
                return
        start, self._at = self._at, end
        yield self._buffer[start:end]
