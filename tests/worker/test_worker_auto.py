"""`DEQUEUER_WORKERS=auto` through the whole worker."""

import asyncio

import pytest

from dequeuer.concurrency.adaptive_limit import AdaptiveLimit
from dequeuer.core.events import LimitChanged, SlotsChanged
from dequeuer.core.message import Fence, Message, Outcome, Retry
from tests.worker.stage import DONE, DeepSource, ScriptedHandler, Stage, now, until

pytestmark = pytest.mark.looptime


class LanesHandler(ScriptedHandler):
    """A container that serves a fixed number of requests at a time; the others wait in it, or are refused."""

    def __init__(self, lanes: int, *, refuses: bool = False) -> None:
        super().__init__()
        self._lanes = asyncio.Semaphore(lanes)
        self._refuses = refuses
        self.refused = 0
        self.done_at: list[float] = []

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self._refuses and self._lanes.locked():
                self.refused += 1
                return Retry(after_s=1, reason="busy", container_unavailable=True)
            async with self._lanes:
                await asyncio.sleep(0.1)
        finally:
            self.running -= 1
        self.done_at.append(now())
        return DONE


def stage_of(handler: LanesHandler) -> tuple[Stage, AdaptiveLimit]:
    stage = Stage()
    stage.source, stage.handler = DeepSource(10**6), handler
    return stage, AdaptiveLimit(50, stage.seen)


@pytest.mark.parametrize(("lanes", "most"), [(1, 2), (8, 10)])
async def test_it_starts_with_one_slot_and_finds_the_number_of_lanes(lanes: int, most: int) -> None:
    handler = LanesHandler(lanes)
    stage, limit = stage_of(handler)
    async with stage.running(slots=limit):
        await until(lambda: handler.running > 0)
        assert handler.most_running == 1
        await asyncio.sleep(60)
        assert lanes <= limit.baseline <= most
        lately = [at for at in handler.done_at if at > now() - 20]
        assert len(lately) > 0.9 * 20 * lanes / 0.1
        totals = {event.total for event in stage.seen.of(SlotsChanged)}
        assert handler.most_running <= max(totals) <= 2 * lanes
        assert totals == {event.limit for event in stage.seen.of(LimitChanged)}


async def test_refusals_lower_the_limit() -> None:
    handler = LanesHandler(8, refuses=True)
    stage, limit = stage_of(handler)
    async with stage.running(slots=limit):
        await asyncio.sleep(60)
        assert 7 <= limit.baseline <= 8
        assert handler.refused < 60
        assert len(handler.done_at) > 3500


async def test_an_idle_queue_and_a_drain_do_not_change_the_limit() -> None:
    handler = LanesHandler(8)
    stage, limit = stage_of(handler)
    source = stage.source
    assert isinstance(source, DeepSource)
    async with stage.running(slots=limit):
        await asyncio.sleep(30)
        source.left = 0
        await asyncio.sleep(1)
        baseline, value = limit.baseline, limit.value
        await asyncio.sleep(3600)
        stage.drain.request()
    assert (limit.baseline, limit.value) == (baseline, value)
    assert all(lease.settled == [("ack", 0)] for lease in source.handed)
