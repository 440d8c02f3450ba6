from __future__ import annotations

import asyncio
import math

import pytest

from dequeuer.core.events import BatchEnded, BatchFailed, ItemsFailed, Settled, Settlement
from dequeuer.jobs.worker_counts import WorkerCounts, parse_counts
from dequeuer.sidecar.batch_counts import BatchCounter, StoredCounts
from dequeuer.sinks.base import Check, unchecked
from tests.controller.stage import KEYS
from tests.fakes import MemoryStore

KEY = f"{KEYS.prefix}workers/worker-0-1.json"


def settled(settlement: Settlement) -> Settled:
    return Settled(message_id="m", ref="", settlement=settlement, reason="", held_s=1.0, receive_count=1)


def test_attempts_and_batches_are_told_apart() -> None:
    counter = BatchCounter()
    counter(BatchEnded(succeeded=True, duration_s=1.5))
    counter(settled("succeeded"))
    counter(BatchEnded(succeeded=False, duration_s=9.0))
    counter(settled("retried"))
    assert counter.counts == WorkerCounts(succeeded=1, failed_attempts=1, seconds=1.5)


def test_a_batch_has_failed_when_that_is_recorded_and_not_when_an_attempt_is_settled() -> None:
    counter = BatchCounter()
    counter(settled("rejected"))
    assert counter.counts.failed_batches == 0
    counter(BatchFailed())
    assert counter.counts.failed_batches == 1


def test_items_that_failed_are_counted() -> None:
    counter = BatchCounter()
    counter(ItemsFailed(items=2))
    counter(ItemsFailed(items=3))
    assert counter.counts == WorkerCounts(failed_items=5)


def test_a_completion_that_the_container_refuses_is_a_failure() -> None:
    counter = BatchCounter()
    counter(settled("failed"))
    assert counter.counts.has_failures


@pytest.mark.looptime
async def test_counts_are_written_while_they_change_and_at_the_end() -> None:
    store, counter = MemoryStore(), BatchCounter()
    stored = StoredCounts(counter, store, KEYS, "worker-0-1")
    running = asyncio.create_task(stored.run())
    await asyncio.sleep(100)
    assert store.objects == {}
    counter(BatchEnded(succeeded=True, duration_s=1.0))
    await asyncio.sleep(5.1)
    assert parse_counts(store.objects[KEY][0]).succeeded == 1
    counter(BatchEnded(succeeded=True, duration_s=1.0))
    running.cancel()
    await stored.finish(math.inf)
    assert parse_counts(store.objects[KEY][0]).succeeded == 2
    assert [key for _, key in store.journal] == [KEY, KEY]


@pytest.mark.looptime
async def test_a_failure_for_good_is_written_at_once() -> None:
    store, counter = MemoryStore(), BatchCounter()
    running = asyncio.create_task(StoredCounts(counter, store, KEYS, "worker-0-1").run())
    await asyncio.sleep(1)
    counter(BatchFailed())
    await asyncio.sleep(0.1)
    assert parse_counts(store.objects[KEY][0]).failed_batches == 1
    running.cancel()


@pytest.mark.looptime
async def test_a_store_that_fails_delays_no_end() -> None:
    store, counter = MemoryStore(), BatchCounter()
    store.refuse("put")
    stored = StoredCounts(counter, store, KEYS, "worker-0-1")
    counter(BatchFailed())
    running = asyncio.create_task(stored.run())
    await asyncio.sleep(60)
    assert not running.done()
    running.cancel()
    await stored.finish(math.inf)


@pytest.mark.looptime
@pytest.mark.parametrize(("left_s", "takes_s"), [(-1, 0.5), (0, 0.5), (2, 2), (60, 5), (math.inf, 5)])
async def test_a_store_that_hangs_delays_the_end_by_what_is_left_of_the_drain(left_s: float, takes_s: float) -> None:
    class Hanging(MemoryStore):
        async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
            await asyncio.Event().wait()

    counter = BatchCounter()
    stored = StoredCounts(counter, Hanging(), KEYS, "worker-0-1")
    counter(BatchFailed())
    began_at = asyncio.get_running_loop().time()
    await stored.finish(began_at + left_s)
    assert asyncio.get_running_loop().time() - began_at == pytest.approx(takes_s)
