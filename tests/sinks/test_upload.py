import asyncio
from collections.abc import AsyncIterator

import pytest

from dequeuer.sinks.upload import PIECE_BYTES, upload_stream
from tests.fakes import chunked

pytestmark = pytest.mark.looptime


class FakeStore:
    """An upload: takes parts, completes at the end of its input, aborts when the input fails."""

    def __init__(self) -> None:
        self.parts: list[int] = []
        self.state = "idle"
        self.error: Exception | None = None
        self.fail_after = 10**9
        self.pause = asyncio.Event()
        self.pause.set()

    async def take(self, parts: AsyncIterator[bytes]) -> None:
        self.state = "open"
        try:
            async for part in parts:
                self.parts.append(len(part))
                await self.pause.wait()
                if len(self.parts) >= self.fail_after:
                    raise OSError("the store failed")  # noqa: TRY301 - as the client does
        except BaseException as error:
            self.state = "aborted"
            self.error = error if isinstance(error, Exception) else None
            raise
        self.state = "complete"


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES + 7])
async def test_the_whole_body_arrives_in_parts(size: int) -> None:
    store = FakeStore()
    await upload_stream(chunked(bytes(size), 1_000_000), store.take)
    assert store.state == "complete"
    assert sum(store.parts) == size
    assert all(part >= PIECE_BYTES for part in store.parts[:-1])


async def test_a_body_that_fails_aborts_the_upload_and_raises_its_own_error() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(2 * PIECE_BYTES)
        raise ValueError("the answer is no JSON")

    store = FakeStore()
    with pytest.raises(ValueError, match="no JSON"):
        await upload_stream(broken(), store.take)
    assert store.state == "aborted"


async def test_an_upload_that_fails_ends_the_reading_and_raises_its_own_error() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield bytes(PIECE_BYTES)

    store = FakeStore()
    store.fail_after = 2
    with pytest.raises(OSError, match="the store failed"):
        await upload_stream(endless(), store.take)
    assert read < 6


@pytest.mark.parametrize("reading", [True, False])
async def test_cancelling_aborts_the_upload(reading: bool) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield bytes(PIECE_BYTES)
        if reading:
            await asyncio.Event().wait()
        yield bytes(PIECE_BYTES)
        yield bytes(PIECE_BYTES)

    store = FakeStore()
    if not reading:
        store.pause.clear()
    task = asyncio.create_task(upload_stream(body(), store.take))
    await asyncio.sleep(1)
    task.cancel()
    store.pause.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.state == "aborted"


async def test_memory_is_bounded_when_the_store_is_slower_than_the_body() -> None:
    produced = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal produced
        for _ in range(100):
            produced += 1
            yield bytes(PIECE_BYTES)

    store = FakeStore()
    store.pause.clear()
    task = asyncio.create_task(upload_stream(body(), store.take))
    await asyncio.sleep(1)
    assert produced <= 4  # one taken, one handed over, one waiting
    store.pause.set()
    await task
    assert store.state == "complete"
