"""Reports of progress are written at a bounded rate, while their attempt runs and no longer."""

from __future__ import annotations

import asyncio
import json

import pytest

from dequeuer.core.errors import InvalidInputError, LeaseLostError, StoreUnavailableError
from dequeuer.handlers.async_api.progress import MIN_INTERVAL_S, ProgressReports
from dequeuer.handlers.async_api.request_store import RequestStore
from dequeuer.sinks.layout import RequestKeys
from tests.fakes import MemoryStore, OpenFence, SwitchFence

pytestmark = pytest.mark.looptime

KEYS = RequestKeys("uid", "api", "r1")


def secret_of(url: str) -> str:
    return url.removeprefix("there/")


def reports() -> ProgressReports:
    return ProgressReports(lambda secret: f"there/{secret}")


def body(share: float) -> bytes:
    return json.dumps({"progress": share}).encode()


def stored(store: MemoryStore) -> object:
    return json.loads(store.objects[KEYS.progress][0])["progress"]


async def test_a_report_is_stored_at_once_and_of_many_the_last_one() -> None:
    store, running = MemoryStore(), reports()
    with running.accepted(RequestStore(store, store, KEYS, OpenFence())) as url:
        running.report(secret_of(url), body(0.1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert stored(store) == 0.1
        for percent in range(11, 90):
            running.report(secret_of(url), body(percent / 100))
            await asyncio.sleep(MIN_INTERVAL_S / 100)
        assert stored(store) == 0.1
        await asyncio.sleep(MIN_INTERVAL_S)
        assert stored(store) == 0.89
        assert store.journal == [("put", KEYS.progress)] * 2


async def test_a_report_after_a_pause_is_stored_at_once() -> None:
    store, running = MemoryStore(), reports()
    with running.accepted(RequestStore(store, store, KEYS, OpenFence())) as url:
        for share in (0.1, 0.2):
            running.report(secret_of(url), body(share))
            await asyncio.sleep(MIN_INTERVAL_S * 10)
            assert stored(store) == share


async def test_nothing_is_written_after_the_attempt() -> None:
    store, running = MemoryStore(), reports()
    with running.accepted(RequestStore(store, store, KEYS, OpenFence())) as url:
        running.report(secret_of(url), body(0.1))
        await asyncio.sleep(MIN_INTERVAL_S / 2)
        running.report(secret_of(url), body(0.2))
    await asyncio.sleep(MIN_INTERVAL_S * 2)
    assert stored(store) == 0.1
    assert not running.report(secret_of(url), body(0.3))
    assert len(asyncio.all_tasks()) == 1


async def test_nothing_is_written_after_the_lease() -> None:
    store, running, fence = MemoryStore(), reports(), SwitchFence()
    with running.accepted(RequestStore(store, store, KEYS, fence)) as url:
        fence.lost = True
        running.report(secret_of(url), body(0.1))
        await asyncio.sleep(MIN_INTERVAL_S * 2)
        assert not store.journal
        with pytest.raises(LeaseLostError):
            fence.check()


async def test_an_outage_of_the_store_costs_one_report() -> None:
    store, running = MemoryStore(failures=[StoreUnavailableError("away")]), reports()
    with running.accepted(RequestStore(store, store, KEYS, OpenFence())) as url:
        for share in (0.1, 0.2):
            running.report(secret_of(url), body(share))
            await asyncio.sleep(MIN_INTERVAL_S * 2)
    assert store.journal == [("put", KEYS.progress)]
    assert stored(store) == 0.2


async def test_attempts_have_addresses_of_their_own() -> None:
    first, second, running = MemoryStore(), MemoryStore(), reports()
    one, two = (RequestStore(store, store, KEYS, OpenFence()) for store in (first, second))
    with running.accepted(one) as url, running.accepted(two) as other:
        assert url != other
        running.report(secret_of(other), body(0.5))
        await asyncio.sleep(MIN_INTERVAL_S)
    assert (first.journal, second.journal) == ([], [("put", KEYS.progress)])


async def test_a_malformed_report_is_refused_and_the_attempt_goes_on() -> None:
    store, running = MemoryStore(), reports()
    with running.accepted(RequestStore(store, store, KEYS, OpenFence())) as url:
        with pytest.raises(InvalidInputError):
            running.report(secret_of(url), b"{")
        assert running.report(secret_of(url), body(0.1))
