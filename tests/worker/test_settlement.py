from __future__ import annotations

import asyncio
import math

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
    settler, loop = Settler(FakeSource()), asyncio.get_running_loop()
    assert settler.last_release_at == -math.inf
    releasing = asyncio.create_task(settler.release_now([SlowLease(make_message())]))
    await asyncio.sleep(1)
    assert settler.last_release_at == loop.time()
    await releasing
    ended_at = loop.time()
    await asyncio.sleep(1)
    assert settler.last_release_at == pytest.approx(ended_at)


class NoCopies(FakeSource):
    async def copy(self, lease: Lease) -> None:
        raise SourceDeniedError("denied")


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
    renewer, lease = LeaseRenewer(30, Recorder()), FakeLease(make_message())
    now = asyncio.get_running_loop().time()
    held = renewer.hold(lease, now + 6 - MAX_VISIBILITY_TIMEOUT_S)
    held.stop_at = now + 5
    await Settler(NoCopies(has_redrive=True)).settle(held, outcome)
    [(call, seconds)] = lease.calls
    assert call == "release"
    assert seconds == pytest.approx(5)
