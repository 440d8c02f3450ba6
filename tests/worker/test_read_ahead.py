"""How far ahead messages are received."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.concurrency.pace import AHEAD_S
from dequeuer.concurrency.slots import FixedLimit, Slots
from dequeuer.worker.read_ahead import LEAD_S, MOST_WAITING, WAITING_LIMIT, WAITING_SHARE, ReadAhead
from tests.fakes import FakeLease, Recorder, make_message

pytestmark = pytest.mark.looptime


async def slots_of(number: int, takes_s: float) -> Slots:
    """Return slots of which one was occupied for so long."""
    slots = Slots(FixedLimit(number), Recorder())
    slot = slots.take()
    await asyncio.sleep(takes_s)
    slot.leave("good")
    return slots


def brought(chars: int = 100) -> list[FakeLease]:
    return [FakeLease(make_message("r".ljust(chars))) for _ in range(10)]


async def test_while_nothing_is_known_of_receives_twenty_may_wait() -> None:
    read_ahead = ReadAhead(await slots_of(100, 0.02))
    assert (read_ahead.limit, read_ahead.lead_s) == (WAITING_LIMIT, LEAD_S)
    # The first one under way waits at the queue: how far away that is does not show.
    read_ahead.learn(brought(), None)
    assert (read_ahead.limit, read_ahead.lead_s) == (WAITING_LIMIT, LEAD_S)


@pytest.mark.parametrize(
    ("slots", "work_s", "receive_s", "limit"),
    [
        (40, 0.025, 0.02, 10 + 32),
        (40, 0.025, 0.1, MOST_WAITING),
        (100, 0.02, 0.001, WAITING_LIMIT),
        (2, 0.01, 0.1, WAITING_LIMIT + 2 * WAITING_SHARE),
        (3, 5, 0.1, WAITING_LIMIT),
    ],
)
async def test_as_many_wait_as_the_slots_take_while_a_receive_lasts(
    slots: int, work_s: float, receive_s: float, limit: int
) -> None:
    read_ahead = ReadAhead(await slots_of(slots, work_s))
    read_ahead.learn(brought(), receive_s)
    assert abs(read_ahead.limit - limit) <= 1
    assert read_ahead.lead_s == max(LEAD_S, receive_s)


async def test_few_large_bodies_wait_for_as_long_as_they_come() -> None:
    read_ahead = ReadAhead(await slots_of(100, 0.02))
    read_ahead.learn([*brought(), *brought(256 * 1024)], 0.05)
    assert read_ahead.limit == WAITING_LIMIT + 8
    read_ahead.learn(brought(), 0.05)
    assert read_ahead.limit == WAITING_LIMIT + 8
    for _ in range(200):
        read_ahead.learn(brought(), 0.05)
    assert read_ahead.limit == MOST_WAITING


async def test_one_slow_receive_says_little_about_the_distance() -> None:
    read_ahead = ReadAhead(await slots_of(10, 0.02))
    read_ahead.learn(brought(), 0.02)
    limit = read_ahead.limit
    read_ahead.learn(brought(), 30.0)
    assert read_ahead.lead_s < 0.02 + AHEAD_S / 5
    for _ in range(50):
        read_ahead.learn(brought(), 0.02)
    assert read_ahead.limit == limit
