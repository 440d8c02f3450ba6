"""How many messages may be prefetched."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dequeuer.concurrency.slot_times import PREFETCH_WINDOW_S
from dequeuer.concurrency.slots import FixedLimit, Slots
from dequeuer.worker.prefetch_limit import MAX_EXTRA_PER_SLOT, MAX_LIMIT, MIN_LEAD_TIME_S, MIN_LIMIT, PrefetchLimit
from tests.fakes import FakeLease, Recorder, make_message

pytestmark = pytest.mark.looptime


async def slots_of(number: int, takes_s: float) -> Slots:
    """Return slots of which one was in use for `takes_s`."""
    slots = Slots(FixedLimit(number), Recorder())
    slot = slots.acquire()
    await asyncio.sleep(takes_s)
    slot.release("succeeded")
    return slots


def brought(chars: int = 100) -> list[FakeLease]:
    return [FakeLease(make_message("r".ljust(chars))) for _ in range(10)]


async def test_the_limit_is_twenty_before_the_time_of_a_receive_is_known() -> None:
    prefetch = PrefetchLimit(await slots_of(100, 0.02))
    assert (prefetch.value, prefetch.lead_time_s) == (MIN_LIMIT, MIN_LEAD_TIME_S)
    # A long poll waits at the queue, so its time does not show the distance to the queue.
    prefetch.record(brought(), None)
    assert (prefetch.value, prefetch.lead_time_s) == (MIN_LIMIT, MIN_LEAD_TIME_S)


@pytest.mark.parametrize(
    ("slots", "work_s", "receive_s", "limit"),
    [
        (40, 0.025, 0.02, 10 + 32),
        (40, 0.025, 0.1, MAX_LIMIT),
        (100, 0.02, 0.001, MIN_LIMIT),
        (2, 0.01, 0.1, MIN_LIMIT + 2 * MAX_EXTRA_PER_SLOT),
        (3, 5, 0.1, MIN_LIMIT),
    ],
)
async def test_the_limit_is_what_the_slots_take_during_a_receive(
    slots: int, work_s: float, receive_s: float, limit: int
) -> None:
    prefetch = PrefetchLimit(await slots_of(slots, work_s))
    prefetch.record(brought(), receive_s)
    assert abs(prefetch.value - limit) <= 1
    assert prefetch.lead_time_s == max(MIN_LEAD_TIME_S, receive_s)


async def test_the_limit_is_low_while_bodies_are_large() -> None:
    prefetch = PrefetchLimit(await slots_of(100, 0.02))
    prefetch.record([*brought(), *brought(256 * 1024)], 0.05)
    assert prefetch.value == MIN_LIMIT + 8
    prefetch.record(brought(), 0.05)
    assert prefetch.value == MIN_LIMIT + 8
    for _ in range(200):
        prefetch.record(brought(), 0.05)
    assert prefetch.value == MAX_LIMIT


async def test_the_limit_is_low_while_attributes_are_large() -> None:
    prefetch = PrefetchLimit(await slots_of(100, 0.02))
    prefetch.record([FakeLease(replace(make_message("r"), attributes_chars=256 * 1024))], 0.05)
    assert prefetch.value == MIN_LIMIT + 7


async def test_one_slow_receive_hardly_changes_the_limit() -> None:
    prefetch = PrefetchLimit(await slots_of(10, 0.02))
    prefetch.record(brought(), 0.02)
    limit = prefetch.value
    prefetch.record(brought(), 30.0)
    assert prefetch.lead_time_s < 0.02 + PREFETCH_WINDOW_S / 5
    for _ in range(50):
        prefetch.record(brought(), 0.02)
    assert prefetch.value == limit
