"""Reading ahead: in order, bounded, and cancelled with its reader."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.enqueuer.files import StartedFile
from dequeuer.enqueuer.read_ahead import (
    MAX_BYTES_AHEAD,
    MAX_SEGMENTS_AHEAD,
    SEGMENT_BYTES,
    Segment,
    read_ahead,
    segments,
)
from dequeuer.jobs.checkpoint import JobFile
from dequeuer.jobs.file_search import Position
from dequeuer.sinks.base import ListedObject


def file(size: int, key: str = "k") -> JobFile:
    listed = ListedObject(key=key, size=size, e_tag="")
    return JobFile(position=Position(path_index=0, key=key), bucket="b", listed=listed)


async def started(*files: StartedFile) -> AsyncIterator[StartedFile]:
    for one in files:
        yield one


async def segments_of(*files: StartedFile, compressed: bool = False) -> list[tuple[int, int, bool, int]]:
    found = segments(started(*files), begins_at_zero=lambda _file: compressed)
    return [(one.start, one.length, one.is_last, one.begin) async for one in found]


async def test_a_file_is_read_in_segments_from_its_offset_on() -> None:
    size = 2 * SEGMENT_BYTES + 5
    assert await segments_of(StartedFile(file(size), 3)) == [
        (3, SEGMENT_BYTES, False, 3), (SEGMENT_BYTES + 3, SEGMENT_BYTES, False, 3), (2 * SEGMENT_BYTES + 3, 2, True, 3),
    ]  # fmt: skip
    assert await segments_of(StartedFile(file(5), 5)) == [(5, 0, True, 5)]
    assert await segments_of(StartedFile(file(0), 0)) == [(0, 0, True, 0)]


async def test_a_compressed_file_is_read_from_its_beginning() -> None:
    assert await segments_of(StartedFile(file(5), 99), compressed=True) == [(0, 5, True, 99)]


class Reads:
    """Reads that end when the test says."""

    def __init__(self) -> None:
        self.open: dict[str, asyncio.Future[bytes]] = {}
        self.cancelled = 0

    async def read(self, segment: Segment) -> bytes:
        self.open[segment.file.listed.key] = asyncio.get_running_loop().create_future()
        try:
            return await self.open[segment.file.listed.key]
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def wanted(count: int, size: int) -> AsyncIterator[Segment]:
    for number in range(count):
        yield Segment(file(size, str(number)), 0, size, True, 0)


@pytest.mark.parametrize(
    ("size", "expected"), [(1, MAX_SEGMENTS_AHEAD), (SEGMENT_BYTES, MAX_BYTES_AHEAD // SEGMENT_BYTES)]
)
async def test_what_is_read_ahead_is_bounded_in_number_and_bytes_and_comes_in_order(size: int, expected: int) -> None:
    reads = Reads()
    async with aclosing(read_ahead(wanted(100, size), reads.read)) as found:
        first = asyncio.ensure_future(anext(found))
        await reads.settle()
        assert len(reads.open) == expected
        reads.open["1"].set_result(b"1")
        await reads.settle()
        assert not first.done()
        reads.open["0"].set_result(b"0")
        assert (await first).body == b"0"
        assert (await anext(found)).body == b"1"
    assert reads.cancelled >= expected - 2


async def test_an_error_is_raised_when_its_segment_is_due() -> None:
    reads = Reads()
    async with aclosing(read_ahead(wanted(3, 1), reads.read)) as found:
        first = asyncio.ensure_future(anext(found))
        await reads.settle()
        reads.open["1"].set_exception(StoreUnavailableError("x"))
        await reads.settle()
        reads.open["0"].set_result(b"0")
        assert (await first).body == b"0"
        with pytest.raises(StoreUnavailableError):
            await anext(found)


async def test_an_error_of_the_listing_comes_after_the_segments_before_it() -> None:
    async def failing() -> AsyncIterator[Segment]:
        yield Segment(file(0), 0, 0, True, 0)
        raise StoreUnavailableError("listing")

    reads = Reads()
    async with aclosing(read_ahead(failing(), reads.read)) as found:
        assert (await anext(found)).body == b""
        with pytest.raises(StoreUnavailableError, match="listing"):
            await anext(found)
