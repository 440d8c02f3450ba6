"""Slots are kept busy, and no more is prefetched than gets a slot soon."""

import asyncio
from collections.abc import Sequence

import pytest

from dequeuer.core.events import Received, ReleasedUnstarted
from dequeuer.core.message import Done, Fence, Message, Outcome, Retry
from dequeuer.sources.base import Lease
from dequeuer.worker.attempts import MAX_UNCOUNTED_SETTLING, MIN_STORING_LIMIT
from dequeuer.worker.prefetch import MAX_PREFETCH_WAIT_S
from dequeuer.worker.prefetch_limit import MIN_LIMIT
from tests.fakes import FakeLease, FakeSource
from tests.worker.stage import DeepSource, ScriptedHandler, Stage, leases, now, until

pytestmark = pytest.mark.looptime


class Varying(ScriptedHandler):
    """Each message takes the time that the script has for its number; the last time is for all others."""

    def __init__(self, *times: float) -> None:
        super().__init__()
        self._times = times
        self._begun = 0

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        self.takes_s = self._times[min(self._begun, len(self._times) - 1)]
        self._begun += 1
        return await super().handle(message, fence)


def deep(messages: int, handler: ScriptedHandler, lease_s: float = 30) -> tuple[Stage, DeepSource]:
    stage, source = Stage(lease_s), DeepSource(messages)
    stage.source, stage.handler = source, handler
    return stage, source


def waiting(stage: Stage, source: DeepSource) -> list[FakeLease]:
    """Return the messages that were received and neither started nor released."""
    begun = len(stage.seen.of(Received))
    return [lease for lease in source.handed[begun:] if not lease.settled]


@pytest.mark.parametrize("slots", [1, 4])
async def test_with_short_work_no_slot_waits_for_the_queue_and_receives_ask_for_ten(slots: int) -> None:
    stage, source = deep(400, Varying(0.01))
    async with stage.running(slots=slots):
        await until(lambda: len(stage.handler.handled) == 400)
        assert now() < 1.15 * 400 * 0.01 / slots
        assert len(source.limits) < 70
        assert stage.handler.most_running == slots
    assert all(lease.settled == [("ack", 0)] for lease in source.handed)
    assert not stage.seen.of(ReleasedUnstarted)


async def test_with_work_of_medium_length_the_next_message_is_prefetched_in_time() -> None:
    stage, source = deep(50, Varying(0.2))
    async with stage.running():
        while len(stage.handler.handled) < 50:
            await asyncio.sleep(0.013)
            assert len(waiting(stage, source)) <= 2
        assert now() < 1.02 * 50 * 0.2


async def test_with_long_or_unknown_work_nothing_is_prefetched() -> None:
    stage, source = deep(400, Varying(5))
    async with stage.running(slots=3):
        await asyncio.sleep(4)
        assert source.limits == [3]
        await asyncio.sleep(96)
        assert len(source.handed) == len(stage.seen.of(Received))
        assert set(source.limits) <= {1, 2, 3}


async def test_at_most_twenty_are_prefetched_and_the_limit_of_messages_in_flight_holds() -> None:
    stage, source = deep(4000, Varying(0.001))
    async with stage.running(slots=2):
        for _ in range(300):
            await asyncio.sleep(0.001)
            assert len(waiting(stage, source)) <= MIN_LIMIT

    stage, source = deep(4000, Varying(0.001))
    stage.source = HeldUp(source)
    async with stage.running(slots=2):
        await asyncio.sleep(5)
        assert len(stage.seen.of(Received)) == 2 + MIN_STORING_LIMIT + MAX_UNCOUNTED_SETTLING
        assert waiting(stage, source) == []


class HeldUp(FakeSource):
    """Its messages are never settled."""

    def __init__(self, source: DeepSource) -> None:
        super().__init__()
        self._source = source

    async def receive(self, limit: int, *, wait_s: int | None = None) -> Sequence[Lease]:
        found = await self._source.receive(limit, wait_s=wait_s)
        for lease in self._source.handed:
            lease.ack_may_return = asyncio.Event()
        return found


@pytest.mark.parametrize(("lease_s", "moment_s"), [(30, MAX_PREFETCH_WAIT_S), (2, 0.5)])
async def test_a_prefetched_message_that_expires_is_released(lease_s: float, moment_s: float) -> None:
    stage, source = deep(400, Varying(*[0.01] * 25, 60), lease_s)
    async with stage.running():
        await until(lambda: len(stage.seen.of(Received)) == 26)
        late = waiting(stage, source)
        assert late
        await asyncio.sleep(moment_s - 0.3)
        assert not any(lease.calls for lease in late)
        await asyncio.sleep(0.301)
        assert [lease.calls for lease in late] == [[("release", 0)]] * len(late)
        assert sum(event.messages for event in stage.seen.of(ReleasedUnstarted) if event.reason == "waited") == len(
            late
        )
        asked = len(source.limits)
        await asyncio.sleep(10)
        assert len(source.limits) == asked  # the work is long now


async def test_prefetched_messages_are_released_when_the_container_is_not_ready_any_more() -> None:
    stage, source = deep(400, Varying(*[0.01] * 25, 0.3))
    async with stage.running():
        await until(lambda: len(stage.seen.of(Received)) == 26)
        late = waiting(stage, source)
        assert late
        stage.readiness.set(is_open=False)
        await asyncio.sleep(0.001)
        assert [lease.calls for lease in late] == [[("release", 0)]] * len(late)
        await asyncio.sleep(1)
        assert len(stage.handler.handled) == 26
        stage.readiness.set(is_open=True)
        await asyncio.sleep(2)
        assert len(stage.handler.handled) > 27


async def test_a_drain_releases_the_prefetched_messages_and_starts_none_of_them() -> None:
    stage, source = deep(400, Varying(*[0.01] * 25, 0.3))
    async with stage.running() as task:
        await until(lambda: len(stage.seen.of(Received)) == 26)
        late = waiting(stage, source)
        assert late
        stage.drain.request()
        await asyncio.sleep(0.001)
        assert [lease.calls for lease in late] == [[("release", 0)]] * len(late)
        await task
    assert len(stage.handler.handled) == 26
    assert all(len(lease.settled) == 1 for lease in source.handed)
    assert {event.reason for event in stage.seen.of(ReleasedUnstarted)} == {"drain"}


async def test_nothing_is_prefetched_for_a_container_that_refuses() -> None:
    stage, source = deep(400, ScriptedHandler())
    stage.handler.outcome = Retry(after_s=1, reason="busy", container_unavailable=True)
    async with stage.running(slots=2):
        await asyncio.sleep(1)
        assert set(source.limits) <= {1, 2}
        stage.handler.outcome = Done(state="completed")
        await asyncio.sleep(1)
        assert max(source.limits) > 2


async def test_messages_that_come_late_while_every_slot_is_stuck_are_released_at_once() -> None:
    stage = Stage()
    stage.handler = Varying(0.01, 0.01, 60)
    first, second, long, late = leases(4)
    stage.source.bring(first, second)
    async with stage.running():
        await asyncio.sleep(1)
        stage.source.bring(long)
        await asyncio.sleep(5)
        stage.source.bring(late)
        await asyncio.sleep(0.01)
        assert late.calls == [("release", 0)]
        assert long.calls == []


async def test_a_quarter_of_the_lease_is_left_for_work_on_a_message_of_a_long_poll() -> None:
    stage = Stage(lease_s=6)
    stage.handler = Varying(0.01, 0.01, 0.4)
    brought = leases(6)
    stage.source.bring(*brought[:2])
    async with stage.running():
        await asyncio.sleep(3.5)  # 1.9 s of the lease are left; a quarter of the lease is kept for the work
        stage.source.bring(*brought[2:])
        await asyncio.sleep(10)
    begun = [lease for lease in brought if lease.settled == [("ack", 0)]]
    assert len(begun) == 4
    assert [lease.calls for lease in brought if lease not in begun] == [[("release", 0)]] * 2
