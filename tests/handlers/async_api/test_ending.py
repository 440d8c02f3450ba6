"""Two deliveries of one request at the same time: it gets one final status, whichever is faster."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from dataclasses import replace

import pytest

from dequeuer.core import clock
from dequeuer.core.errors import StoreDeniedError
from dequeuer.core.message import Done, Retry
from dequeuer.formats.failure import RequestFailure
from dequeuer.handlers.async_api.ending import MAX_SHORT_WORK_S, MIN_REDELIVERY_S, RequestEnding
from dequeuer.handlers.async_api.request_store import RequestStore
from dequeuer.sinks.base import Check, unchecked
from dequeuer.sinks.deletion_batching import LINGER_S, DeletionBatcher
from dequeuer.sinks.layout import RequestKeys
from tests.fakes import MemoryStore, OpenFence, SwitchFence, make_message

pytestmark = pytest.mark.looptime

KEYS = RequestKeys("uid", "api", "r1")
FAILURE = RequestFailure(error="the container answered 500", code="container_status", status_code=500)


class SlowStore(MemoryStore):
    """Each call takes effect after a pause, and returns after another pause."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)

    async def _travel(self) -> None:
        await asyncio.sleep(self._random.uniform(0.0, 0.3))

    async def list(self, prefix: str) -> list[str]:
        await self._travel()
        found = list(await super().list(prefix))
        await self._travel()
        return found

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        check()
        await self._travel()
        await super().put(key, body, content_type)
        await self._travel()

    async def delete(self, keys: Collection[str]) -> None:
        await self._travel()
        await super().delete(keys)
        await self._travel()


class Delivery:
    def __init__(
        self,
        store: MemoryStore,
        receive_count: int,
        *,
        may_be_duplicate: bool = False,
        late_s: float = 0.0,
        sent_at: float | None = None,
    ) -> None:
        """`late_s`: how long the response to the receive was on its way, or the receive waited for a message."""
        self.request = RequestStore(store, store, KEYS, OpenFence(), may_be_duplicate=may_be_duplicate)
        message = replace(make_message("r1", receive_count), sent_at=sent_at)
        self.ending = RequestEnding(message, self.request, asyncio.get_running_loop().time() - late_s)

    async def succeed(self, after_s: float) -> object:
        await asyncio.sleep(after_s)
        await self.request.put_result(b"1")
        return await self.ending.completed()

    async def fail(self, after_s: float) -> object:
        await asyncio.sleep(after_s)
        return await self.ending.failed(FAILURE)


def ends(store: MemoryStore) -> set[str]:
    return {key.rpartition("/")[2] for key in store.objects} & {"completed", "failed"}


@pytest.mark.parametrize("successful_count", [1, 2])
async def test_a_success_and_a_failure_at_the_same_time_end_one_way(successful_count: int) -> None:
    ended: set[str] = set()
    for seed in range(1000):
        store = SlowStore(seed)
        success = Delivery(store, successful_count)
        failure = Delivery(store, 3 - successful_count)
        # The failing delivery works for 1.5 s; the successful one for 0 to 4 s.
        await asyncio.gather(success.succeed(seed / 250), failure.fail(1.5))
        assert len(ends(store)) == 1, seed
        ended |= ends(store)
        if ends(store) == {"completed"}:
            assert KEYS.result in store.objects
    assert ended == {"completed", "failed"}


class Unlisted(MemoryStore):
    async def list(self, prefix: str) -> list[str]:
        raise AssertionError("a listing costs as much as a write")


async def test_a_short_first_delivery_makes_no_lookup() -> None:
    delivery = Delivery(Unlisted(), 1)
    outcome = await delivery.succeed(MAX_SHORT_WORK_S)
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"


async def test_a_success_after_a_failure_of_another_delivery_is_retried() -> None:
    store = MemoryStore()
    store.seed([(KEYS.failed, b"{}")])
    outcome = await Delivery(store, 1).succeed(MAX_SHORT_WORK_S + 0.1)
    assert isinstance(outcome, Retry)
    assert ends(store) == {"failed"}


async def test_a_message_whose_receive_was_answered_late_ends_one_way() -> None:
    store = MemoryStore()
    # The redelivery came later, but failed before this first delivery arrived.
    await Delivery(store, 2).fail(0.0)
    outcome = await Delivery(store, 1, late_s=7.0).succeed(0.1)
    assert isinstance(outcome, Retry)
    assert ends(store) == {"failed"}


@pytest.mark.parametrize("clock_s", [0.0, -3600.0])
async def test_a_message_that_a_long_poll_has_waited_for_causes_no_lookup(
    clock_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "wall", lambda: 1_000_000.0 + clock_s)
    outcome = await Delivery(Unlisted(), 1, late_s=19.0, sent_at=999_999.9).succeed(0.5)
    assert isinstance(outcome, Done)


async def test_an_old_message_that_arrived_late_looks_for_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "wall", lambda: 1_000_000.0)
    store = MemoryStore()
    store.seed([(KEYS.failed, b"{}")])
    assert isinstance(await Delivery(store, 1, late_s=7.0, sent_at=999_000.0).succeed(0.1), Retry)


async def test_a_receive_that_waited_does_not_shorten_the_wait_of_a_redelivery_that_fails() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await Delivery(MemoryStore(), 2, late_s=19.0).fail(0.5)
    assert loop.time() == pytest.approx(began + MIN_REDELIVERY_S)


async def test_a_first_delivery_fails_at_once_and_a_redelivery_waits() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await Delivery(MemoryStore(), 1).fail(0.0)
    assert loop.time() == began
    await Delivery(MemoryStore(), 2).fail(0.5)
    assert loop.time() == pytest.approx(began + MIN_REDELIVERY_S)


async def test_a_refused_write_of_a_failure_is_raised() -> None:
    store = MemoryStore()
    store.fail(error=StoreDeniedError("no"))
    with pytest.raises(StoreDeniedError):
        await Delivery(store, 1).fail(0.0)


async def test_two_messages_of_one_request_end_one_way_whichever_comes_first() -> None:
    for seed in range(500):
        store = SlowStore(seed)
        success = Delivery(store, 1, may_be_duplicate=True)
        failure = Delivery(store, 1, may_be_duplicate=True)
        await asyncio.gather(success.succeed(seed / 125), failure.fail(1.5))
        assert len(ends(store)) == 1, seed


async def test_a_deletion_of_a_failure_does_not_wait_for_others_while_its_lease_can_be_lost() -> None:
    store, fence = MemoryStore(), SwitchFence()
    request = RequestStore(store, DeletionBatcher(store), KEYS, fence)
    store.seed([(KEYS.result, b"1"), (KEYS.failed, b"")])
    deleting = asyncio.create_task(request.delete_failed())
    await asyncio.sleep(LINGER_S / 2)
    fence.lost = True
    deleted_in_time = list(store.journal)
    deleting.cancel()
    await asyncio.sleep(1)
    # The next delivery may have acknowledged the message by what it has seen, and what is deleted now.
    assert store.journal == deleted_in_time


@pytest.mark.parametrize("there", ["result.json", "status/completed"])
async def test_a_failure_that_finds_a_success_is_never_written(there: str) -> None:
    store = MemoryStore()
    store.seed([(KEYS.prefix + there, b"1")])
    outcome = await Delivery(store, 2).fail(0.0)
    assert isinstance(outcome, Done)
    assert outcome.state == "already_finished"
    assert ("put", KEYS.failed) not in store.journal
