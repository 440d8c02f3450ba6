from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dequeuer.handlers.async_api.request_store import RequestStore
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.response_body import BUFFER_WAIT_TIMEOUT_S, MAX_BUFFERED_BYTES, TOTAL_BUFFER_BYTES
from dequeuer.sinks.base import Check, unchecked
from dequeuer.sinks.layout import RequestKeys
from tests.fakes import MemoryStore, OpenFence
from tests.handlers.stage import Reply, ScriptedResponse

pytestmark = pytest.mark.looptime


class Held(MemoryStore):
    """Writes take until `may_write` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.may_write = asyncio.Event()
        self.streamed: list[int | None] = []

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        await self.may_write.wait()
        return await super().create(key, body, content_type, check=check)

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,
        check: Check = unchecked,
    ) -> bool:
        self.streamed.append(size)
        return await super().put_stream(key, body, content_type, size=size, check=check)


def writing(writer: ResultWriter, store: MemoryStore, name: str, size: int, *, told: bool = True) -> asyncio.Task[None]:
    body = b'"' + b"x" * (size - 2) + b'"'
    answer = ScriptedResponse(Reply(body=body, size=size if told else None))
    request = RequestStore(store, store, RequestKeys("u", "a", name), OpenFence())

    async def write() -> None:
        assert await writer.write(answer, request) is None

    return asyncio.create_task(write())


@pytest.mark.parametrize("told", [True, False])
async def test_a_response_without_room_in_the_buffers_is_streamed_instead_of_waiting(told: bool) -> None:
    store, writer = Held(), ResultWriter(100 * MAX_BUFFERED_BYTES)
    places = TOTAL_BUFFER_BYTES // MAX_BUFFERED_BYTES
    buffered = [writing(writer, store, f"buffered-{number}", MAX_BUFFERED_BYTES, told=told) for number in range(places)]
    await asyncio.sleep(0.1)
    late = writing(writer, store, "late", MAX_BUFFERED_BYTES, told=told)
    await asyncio.sleep(BUFFER_WAIT_TIMEOUT_S + 0.1)
    assert late.done()
    assert store.streamed == [MAX_BUFFERED_BYTES if told else None]
    assert not any(task.done() for task in buffered)
    store.may_write.set()
    await asyncio.gather(*buffered, late)
    assert len(store.objects) == places + 1


async def test_large_responses_do_not_wait_for_each_other_nor_for_smaller_ones() -> None:
    store, writer = Held(), ResultWriter(100 * MAX_BUFFERED_BYTES)
    middling = [writing(writer, store, f"middling-{number}", MAX_BUFFERED_BYTES) for number in range(20)]
    large = [writing(writer, store, f"large-{number}", MAX_BUFFERED_BYTES + 1) for number in range(20)]
    await asyncio.gather(*large)
    for task in middling:
        task.cancel()
    await asyncio.wait(middling)


async def test_room_that_becomes_free_is_used() -> None:
    store, writer = Held(), ResultWriter(100 * MAX_BUFFERED_BYTES)
    tasks = [writing(writer, store, f"middling-{number}", MAX_BUFFERED_BYTES) for number in range(20)]
    await asyncio.sleep(BUFFER_WAIT_TIMEOUT_S / 2)
    store.may_write.set()
    await asyncio.gather(*tasks)
    assert store.streamed == []


async def test_a_response_that_turns_out_to_be_larger_releases_its_room() -> None:
    store, writer = Held(), ResultWriter(100 * MAX_BUFFERED_BYTES)
    for number in range(2 * TOTAL_BUFFER_BYTES // MAX_BUFFERED_BYTES):
        await writing(writer, store, f"large-{number}", MAX_BUFFERED_BYTES + 200_000, told=False)
    store.may_write.set()
    await writing(writer, store, "middling", MAX_BUFFERED_BYTES)
    assert store.streamed == [None] * (2 * TOTAL_BUFFER_BYTES // MAX_BUFFERED_BYTES)
