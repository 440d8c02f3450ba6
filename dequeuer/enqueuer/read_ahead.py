"""Reads files in ranges, some of them ahead: many small files at a time, or some parts of a large one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final, NamedTuple

from dequeuer.enqueuer.files import StartedFile
from dequeuer.jobs.checkpoint import JobFile

SEGMENT_BYTES: Final = 1024 * 1024
"""Read with one request."""
MAX_BYTES_AHEAD: Final = 6 * SEGMENT_BYTES
"""Of segments that are being read, or wait to be used."""
MAX_SEGMENTS_AHEAD: Final = 32
"""Of small files."""


class Segment(NamedTuple):
    """A part of a file.

    Attributes:
        file: is the same object for all segments of a file.
        start: offset in the stored file, bytes.
        length: bytes. An empty file has one segment without bytes.
        is_last: it reaches to the end of the file.
        begin: offset of the first item that is wanted, in the content of the file.
    """

    file: JobFile
    start: int
    length: int
    is_last: bool
    begin: int


class ReadSegment(NamedTuple):
    """A segment and its bytes."""

    segment: Segment
    body: bytes


async def segments(
    files: AsyncIterator[StartedFile], *, begins_at_zero: Callable[[JobFile], bool]
) -> AsyncIterator[Segment]:
    """Yield the segments of files in order. `begins_at_zero`: tells files that can only be read from their start."""
    async for file, offset in files:
        size = file.listed.size
        start = 0 if begins_at_zero(file) else min(offset, size)
        while True:
            length = min(SEGMENT_BYTES, size - start)
            yield Segment(file, start, length, start + length == size, offset)
            start += length
            if start == size:
                break


async def read_ahead(
    wanted: AsyncIterator[Segment], read: Callable[[Segment], Awaitable[bytes]]
) -> AsyncGenerator[ReadSegment, None]:
    """Yield segments in order, while those after them are read. Close it: it cancels what is being read.

    Errors of `read` are raised when their segment is due; so are those of `wanted`, after all segments before them.
    """
    ahead: deque[tuple[Segment, asyncio.Task[bytes]]] = deque()
    total = 0
    has_more = True
    late: Exception | None = None
    try:
        while True:
            while has_more and len(ahead) < MAX_SEGMENTS_AHEAD and (total < MAX_BYTES_AHEAD or not ahead):
                try:
                    segment = await anext(wanted, None)
                except Exception as error:  # noqa: BLE001 - raised below, when it is due
                    segment, late = None, error
                if segment is None:
                    has_more = False
                    break
                total += segment.length
                ahead.append((segment, asyncio.create_task(_body(read, segment), name="read-segment")))
            if not ahead:
                break
            segment, task = ahead[0]
            body = await task
            ahead.popleft()
            total -= segment.length
            yield ReadSegment(segment, body)
            del body, task
        if late is not None:
            raise late
    finally:
        tasks = [task for _, task in ahead]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _body(read: Callable[[Segment], Awaitable[bytes]], segment: Segment) -> bytes:
    return await read(segment) if segment.length else b""
