import asyncio
import math

import pytest

from dequeuer.core.events import ReleasedUnstarted
from dequeuer.worker.lease import LeaseRenewer
from dequeuer.worker.prefetch import PrefetchBuffer
from dequeuer.worker.settlement import Settler
from tests.fakes import FakeLease, Recorder, make_message

pytestmark = pytest.mark.looptime

LEASE_S = 8.0


async def test_an_expired_message_is_not_taken_although_it_came_after_others() -> None:
    seen = Recorder()
    renewer = LeaseRenewer(LEASE_S, seen)
    buffer = PrefetchBuffer(Settler(), renewer, seen)
    loop = asyncio.get_running_loop()
    await asyncio.sleep(LEASE_S)
    early, late = FakeLease(make_message("early")), FakeLease(make_message("late"))
    buffer.add([early], loop.time())
    # The response to the receive came late: 0.5 s are left to wait, and a quarter of the lease for the work.
    buffer.add([late], loop.time() + 0.5 + LEASE_S / 4 - (renewer.stop_at(0.0)))
    await asyncio.sleep(1)
    first = buffer.take()
    assert first is not None
    assert first.lease is early
    assert buffer.take() is None
    await buffer.wait_released(math.inf)
    assert [(event.messages, event.reason) for event in seen.of(ReleasedUnstarted)] == [(1, "waited")]
    assert late.settled == [("release", 0)]


async def test_messages_that_expire_one_after_another_are_all_released_in_time() -> None:
    seen = Recorder()
    buffer = PrefetchBuffer(Settler(), LeaseRenewer(LEASE_S, seen), seen)
    loop = asyncio.get_running_loop()
    leases = [FakeLease(make_message(f"m{number}")) for number in range(3)]
    for lease in leases:
        buffer.add([lease], loop.time())
        await asyncio.sleep(0.5)
    await asyncio.sleep(buffer.max_wait_s)
    assert len(buffer) == 0
    await buffer.wait_released(math.inf)
    assert [lease.settled for lease in leases] == [[("release", 0)]] * 3
