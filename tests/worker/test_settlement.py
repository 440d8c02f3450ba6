from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest

from dequeuer.core.errors import SourceDeniedError
from dequeuer.core.message import Outcome, Reject, Requeue, Retry
from dequeuer.core.queue_limits import MAX_VISIBILITY_TIMEOUT_S
from dequeuer.sources.base import Lease
from dequeuer.worker.lease import LeaseRenewer
from dequeuer.worker.settlement import Settler
from tests.fakes import FakeLease, FakeSource, Recorder, make_message

pytestmark = pytest.mark.looptime


class SlowLease(FakeLease):
    async def release(self, after_s: float = 0.0) -> None:
        await asyncio.sleep(1.5)
        await super().release(after_s)


async def test_a_release_that_is_under_way_is_the_last_release_until_it_ends() -> None:
    settler, loop = Settler(), asyncio.get_running_loop()
    assert settler.last_release_at == -math.inf
    releasing = asyncio.create_task(settler.release_now([SlowLease(make_message())]))
    await asyncio.sleep(1)
    assert settler.last_release_at == loop.time()
    await releasing
    ended_at = loop.time()
    await asyncio.sleep(1)
    assert settler.last_release_at == pytest.approx(ended_at)


class SlowSource(FakeSource):
    async def copy(self, lease: Lease) -> None:
        await asyncio.sleep(1.5)
        await super().copy(lease)


async def test_a_message_that_is_sent_again_may_come_to_an_open_poll_as_one_that_is_released() -> None:
    settler, loop = Settler(), asyncio.get_running_loop()
    lease = FakeLease(replace(make_message(), max_receives=1), source=SlowSource())
    releasing = asyncio.create_task(settler.release_now([lease]))
    await asyncio.sleep(1)
    assert settler.last_release_at == loop.time()
    await releasing
    sent_at = loop.time()
    await asyncio.sleep(1)
    assert settler.last_release_at == pytest.approx(sent_at)


async def test_so_may_a_completion_message_that_is_sent_again() -> None:
    settler, loop = Settler(), asyncio.get_running_loop()
    held = LeaseRenewer(30, Recorder()).hold(FakeLease(make_message()), loop.time())
    await settler.settle(held, Requeue(reason="the process is stopping"))
    assert settler.last_release_at == pytest.approx(loop.time())


class NoCopies(FakeSource):
    async def copy(self, lease: Lease) -> None:
        raise SourceDeniedError("denied")


@pytest.mark.parametrize(
    ("source", "max_receives", "receive_count", "copies", "expected"),
    [
        (FakeSource(), 3, 3, 1, ("ack", 0)),
        (FakeSource(), 3, 4, 1, ("ack", 0)),
        (FakeSource(), 3, 2, 0, ("release", 0)),
        (FakeSource(), None, 1000, 0, ("release", 0)),
        (NoCopies(), 3, 3, 0, ("release", 0)),
    ],
)
async def test_a_message_that_has_not_failed_is_not_released_at_its_last_receive_but_sent_again(
    source: FakeSource, max_receives: int | None, receive_count: int, copies: int, expected: tuple[str, float]
) -> None:
    lease = FakeLease(replace(make_message(), receive_count=receive_count, max_receives=max_receives), source=source)
    await Settler().release_now([lease])
    assert (len(source.copies), lease.calls) == (copies, [expected])


@pytest.mark.parametrize(("receive_count", "copies"), [(1, 0), (2, 1), (3, 1)])
async def test_a_message_that_must_arrive_is_sent_again_while_a_receive_is_left_that_may_be_lost(
    receive_count: int, copies: int
) -> None:
    source = FakeSource()
    lease = FakeLease(replace(make_message(), receive_count=receive_count, max_receives=3), source=source)
    await Settler(must_arrive=lambda message: message is lease.message).release_now([lease])
    assert len(source.copies) == copies


@pytest.mark.parametrize(
    "outcome",
    [
        Retry(after_s=60, reason="later"),
        Reject(after_s=60, reason="bad"),
        Reject(after_s=60, reason="bad", poison=True),
        Requeue(reason="not yet"),
    ],
)
async def test_a_release_near_the_end_of_the_twelve_hours_asks_for_no_more_than_is_left_of_them(
    outcome: Outcome,
) -> None:
    renewer, lease = LeaseRenewer(30, Recorder()), FakeLease(make_message(), source=NoCopies(has_redrive=True))
    now = asyncio.get_running_loop().time()
    held = renewer.hold(lease, now + 6 - MAX_VISIBILITY_TIMEOUT_S)
    held.stop_at = now + 5
    await Settler().settle(held, outcome)
    [(call, seconds)] = lease.calls
    assert call == "release"
    assert seconds == pytest.approx(5)
