"""The looks whether an API is paused."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.core.events import ConsumptionPaused
from dequeuer.handlers.async_api.pause import LOOK_TIMEOUT_S, PauseWatch
from dequeuer.sinks.base import Payload
from dequeuer.sinks.layout import ApiKeys
from tests.fakes import MemoryStore, Recorder

pytestmark = pytest.mark.looptime

API = ApiKeys("uid", "api")


class CountingStore(MemoryStore):
    """Counts reads; each takes `get_s`."""

    gets = 0
    get_s = 0.0

    async def get(self, key: str) -> Payload:
        self.gets += 1
        await asyncio.sleep(self.get_s)
        return await super().get(key)


class Stage:
    def __init__(self) -> None:
        self.store = CountingStore()
        self.seen = Recorder()
        self.watch = PauseWatch(self.store, API, 5.0, self.seen)

    def pause(self) -> None:
        self.store.seed([(API.pause, b"")])

    def resume(self) -> None:
        del self.store.objects[API.pause]

    @property
    def is_paused(self) -> bool:
        return not self.watch.may_receive.is_open

    @property
    def changes(self) -> list[bool]:
        return [event.is_paused for event in self.seen.of(ConsumptionPaused)]


async def test_a_pause_and_its_end_are_seen_at_the_next_look_and_told_once() -> None:
    stage = Stage()
    await stage.watch.look()
    task = asyncio.create_task(stage.watch.run())
    await asyncio.sleep(12)
    assert (stage.store.gets, stage.is_paused, stage.changes) == (3, False, [])
    stage.pause()
    await asyncio.sleep(5)
    assert stage.is_paused
    await asyncio.sleep(60)
    assert stage.changes == [True]
    stage.resume()
    await asyncio.sleep(5)
    assert (stage.is_paused, stage.changes) == (False, [True, False])
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.parametrize("error", [StoreUnavailableError("down"), StoreDeniedError("no", "AccessDenied"), None])
@pytest.mark.parametrize("is_paused", [True, False])
async def test_without_an_answer_it_stays_as_it_was(error: Exception | None, is_paused: bool) -> None:
    stage = Stage()
    if is_paused:
        stage.pause()
    await stage.watch.look()
    if is_paused:
        stage.resume()
    else:
        stage.pause()
    began = asyncio.get_running_loop().time()
    if error is None:
        stage.store.get_s = 3600
    else:
        stage.store.failures.append(error)
    await stage.watch.look()
    assert stage.is_paused is is_paused
    assert asyncio.get_running_loop().time() - began <= LOOK_TIMEOUT_S
    stage.store.get_s = 0
    await stage.watch.look()
    assert stage.is_paused is not is_paused


@pytest.mark.parametrize("error", [StoreUnavailableError("down"), None])
@pytest.mark.parametrize("is_paused", [True, False])
async def test_a_sidecar_that_starts_in_an_outage_receives_nothing_until_it_knows_whether_its_api_is_paused(
    error: Exception | None, is_paused: bool
) -> None:
    stage = Stage()
    if is_paused:
        stage.pause()
    if error is None:
        stage.store.get_s = 3600
    else:
        stage.store.failures.extend([error] * 3)
    await stage.watch.look()
    assert (stage.is_paused, stage.changes) == (True, [])
    assert stage.watch.reason.startswith("S3 has not answered yet")
    task = asyncio.create_task(stage.watch.run())
    await asyncio.sleep(1.5)
    stage.store.get_s = 0
    assert (stage.is_paused, stage.changes) == (True, [])
    await asyncio.sleep(8)
    assert (stage.is_paused, stage.changes) == (is_paused, [True] if is_paused else [])
    assert stage.watch.reason == ("the API is paused: resume it at the gateway" if is_paused else "")
    task.cancel()
    await asyncio.wait({task})


async def test_a_store_that_refuses_the_first_look_stops_no_sidecar() -> None:
    stage = Stage()
    stage.store.failures.append(StoreDeniedError("no", "AccessDenied"))
    await stage.watch.look()
    assert not stage.is_paused


async def test_requests_and_records_of_the_api_pause_nothing() -> None:
    stage = Stage()
    stage.store.seed([(f"{API.pause}/x", b""), (API.cancellation("id1"), b""), ("uid/workloads/api2/_paused", b"")])
    await stage.watch.look()
    assert not stage.is_paused
