from __future__ import annotations

import asyncio
import math

import pytest

from dequeuer.worker.settlement import Settler
from tests.fakes import FakeLease, FakeSource, make_message

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
