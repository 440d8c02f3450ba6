"""Reads files in ranges, some of them ahead: many small files at a time, or some parts of a large one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Final, NamedTuple

from dequeuer.concurrency.in_order import in_order
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
    parts = in_order(
        wanted,
        partial(_body, read),
        max_ahead=MAX_SEGMENTS_AHEAD,
        size=lambda segment: segment.length,
        max_size=MAX_BYTES_AHEAD,
    )
    async with aclosing(parts):
        async for segment, body in parts:
            yield ReadSegment(segment, body)
            del body


async def _body(read: Callable[[Segment], Awaitable[bytes]], segment: Segment) -> bytes:
    return await read(segment) if segment.length else b""
