"""Counts of queues in virtual time: only so many are asked at the same time."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.gateway.problems import ProblemError
from dequeuer.gateway.queue_counts import MAX_COUNTS, TURN_TIMEOUT_S, QueueCounter
from tests.gateway.dead_letters import FakeSqs, translate

pytestmark = pytest.mark.looptime


async def test_many_who_ask_wait_for_their_turn_and_not_for_ever(looptime: float) -> None:
    sqs = FakeSqs()
    sqs.call_s = TURN_TIMEOUT_S  # a count is two calls
    counter = QueueCounter(sqs, translate)
    first = [asyncio.create_task(counter.count(sqs.queue)) for _ in range(MAX_COUNTS)]
    await asyncio.sleep(1)
    with pytest.raises(ProblemError) as caught:
        await counter.count(sqs.queue)
    assert (caught.value.status, caught.value.code, looptime) == (503, "queue_unavailable", 1 + TURN_TIMEOUT_S)
    assert [found.depth.visible for found in await asyncio.gather(*first)] == [0] * MAX_COUNTS
    assert (await counter.count(sqs.queue)).dead == 0
