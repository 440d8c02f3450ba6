from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from dequeuer.core.drain import Drain
from dequeuer.observability.admin import AdminServer
from dequeuer.observability.drain_actions import MAX_WAITING, DrainActions

Answer = tuple[int, str]


class Stage:
    """An admin server with the two paths, and a client of it."""

    def __init__(self) -> None:
        self.drain = Drain()
        self.actions = DrainActions(self.drain)
        self._wait = self.actions.paths["/wait-for-drain"]
        self._arrived = asyncio.Event()
        paths = {**self.actions.paths, "/wait-for-drain": self._record_wait}
        self.server = AdminServer(["127.0.0.1"], 0, bytes, lambda: True, lambda: True, actions=paths)

    async def _record_wait(self) -> str:
        self._arrived.set()
        return await self._wait()

    async def get(self, path: str) -> Answer:
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{self.server.port}") as session,
            session.get(path) as answer,
        ):
            return answer.status, await answer.text()

    async def wait(self) -> asyncio.Task[Answer]:
        """Ask `/wait-for-drain`; return when the request has arrived."""
        self._arrived.clear()
        waiting = asyncio.create_task(self.get("/wait-for-drain"))
        await self._arrived.wait()
        return waiting


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    await made.server.start()
    yield made
    await made.server.stop()


async def test_drain_begins_the_drain_and_does_not_end_the_process(stage: Stage) -> None:
    assert await stage.get("/drain") == (200, "draining\n")
    assert stage.drain.requested
    assert await stage.get("/drain") == (200, "draining\n")
    assert not stage.drain.is_forced


async def test_who_waits_gets_the_answer_when_the_drain_is_over_and_not_before_it_begins(stage: Stage) -> None:
    waiting = await stage.wait()
    await stage.get("/drain")
    assert not waiting.done()
    stage.actions.drain_ended()
    assert await waiting == (200, "drained\n")
    assert await stage.get("/wait-for-drain") == (200, "drained\n")


async def test_who_waits_has_the_answer_although_the_server_stops_at_once(stage: Stage) -> None:
    waiting = [await stage.wait() for _ in range(3)]
    stage.actions.drain_ended()
    await stage.server.stop()
    assert await asyncio.gather(*waiting) == 3 * [(200, "drained\n")]


async def test_one_that_waits_too_many_ends_the_wait_of_the_oldest(stage: Stage) -> None:
    waiting = [await stage.wait() for _ in range(MAX_WAITING + 1)]
    assert (await waiting.pop(0))[0] == 503
    stage.actions.drain_ended()
    assert await asyncio.gather(*waiting) == MAX_WAITING * [(200, "drained\n")]
