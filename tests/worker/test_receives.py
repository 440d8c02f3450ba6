"""Several receives at the same time: full throughput at any distance of the queue, within the prefetch limit."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from dequeuer.core.errors import SourceGoneError, SourceUnavailableError
from dequeuer.core.events import ReleasedUnstarted
from dequeuer.core.message import Fence, Message, Outcome
from dequeuer.sources.base import Lease
from dequeuer.worker.attempts import MAX_STORING_LIMIT, MAX_UNCOUNTED_SETTLING
from dequeuer.worker.prefetch_limit import MAX_EXTRA_PER_SLOT, MAX_LIMIT, MIN_LIMIT
from dequeuer.worker.receives import MAX_CONCURRENT_RECEIVES
from dequeuer.worker.settlement import SETTLEMENT_TIMEOUT_S
from tests.fakes import FakeLease, FakeSource, make_message
from tests.worker.stage import ScriptedHandler, Stage, now, until

pytestmark = pytest.mark.looptime


class FarSource(FakeSource):
    """A queue with a number of messages, `away_s` away. When it is empty, a long poll takes `poll_wait_s`."""

    def __init__(self, messages: int, away_s: float = 0.05, poll_wait_s: float = 20.0) -> None:
        super().__init__()
        self.left = messages
        self.lease = FakeLease
        self.handed: list[FakeLease] = []
        self._unsettled: list[FakeLease] = []
        self.errors: list[Exception] = []
        self.waits: list[bool] = []
        self.under_way: dict[int, int] = {}
        self.most_under_way = 0
        self.most_held = 0
        self.away_s = away_s
        self._poll_wait_s = poll_wait_s

    async def receive(self, limit: int, *, wait_s: int | None = None) -> Sequence[Lease]:
        number = len(self.limits)
        self.limits.append(limit)
        self.waits.append(wait_s != 0)
        self.under_way[number] = limit
        self.most_under_way = max(self.most_under_way, len(self.under_way))
        self._unsettled = [lease for lease in self._unsettled if not lease.settled]
        self.most_held = max(self.most_held, len(self._unsettled) + sum(self.under_way.values()))
        try:
            await asyncio.sleep(self.away_s)
            if self.errors:
                raise self.errors.pop(0)
            if not self.left and wait_s != 0:
                await asyncio.sleep(self._poll_wait_s)
            return self._hand_out(limit)
        finally:
            del self.under_way[number]

    def _hand_out(self, limit: int) -> Sequence[Lease]:
        new = [self.lease(make_message(f"r{len(self.handed) + at}")) for at in range(min(limit, self.left))]
        self.left -= len(new)
        self.handed += new
        self._unsettled += new
        return new


class HangingLease(FakeLease):
    """Its release gets no response."""

    async def release(self, after_s: float = 0.0) -> None:
        await asyncio.Event().wait()


def far(messages: int, takes_s: float = 0.01) -> tuple[Stage, FarSource]:
    stage, source = Stage(), FarSource(messages)
    stage.source, stage.handler.takes_s = source, takes_s
    return stage, source


@pytest.mark.parametrize(("slots", "takes_s"), [(10, 0.01), (20, 0.01), (25, 0.05), (100, 0.01), (100, 0.1)])
async def test_the_distance_to_the_queue_does_not_limit_the_throughput(slots: int, takes_s: float) -> None:
    # One receive at a time would bring 200 messages a second. The slots are the limit, or ten receives.
    possible = min(slots / takes_s, MAX_CONCURRENT_RECEIVES * 10 / 0.05)
    messages = int(4 * possible)
    stage, source = far(messages, takes_s)
    async with stage.running(slots=slots):
        await until(lambda: len(stage.handler.handled) == messages)
        assert messages / now() > 0.85 * possible
        # A full queue costs one request for ten messages, however many receives are under way.
        assert len(source.limits) < messages / 10 * 1.1
        assert not stage.seen.of(ReleasedUnstarted)


@pytest.mark.parametrize("takes_s", [0.001, 0.01, 0.1, 5])
@pytest.mark.parametrize("slots", [1, 4, 25])
async def test_all_receives_together_bring_no_more_than_fits_the_slots_and_the_prefetch_limit(
    slots: int, takes_s: float
) -> None:
    stage, source = far(3000, takes_s)
    async with stage.running(slots=slots):
        await asyncio.sleep(10)
        # What the slots take during a receive, and ten for now.
        ahead = max(MIN_LIMIT, 10 + math.ceil(slots * 0.05 / takes_s))
        assert source.most_held <= slots + min(ahead, MIN_LIMIT + MAX_EXTRA_PER_SLOT * slots, MAX_LIMIT)
        assert stage.handler.most_running <= slots


class Large(FarSource):
    """Its messages have bodies of 256 KiB."""

    def _hand_out(self, limit: int) -> Sequence[Lease]:
        new = super()._hand_out(limit)
        for lease in self.handed[len(self.handed) - len(new) :]:
            lease.message = replace(lease.message, body=lease.message.body.ljust(256 * 1024))
        return new


async def test_few_large_messages_are_prefetched_at_any_distance_of_the_queue() -> None:
    stage, source = Stage(), Large(3000)
    stage.source, stage.handler.takes_s = source, 0.01
    async with stage.running(slots=20):
        await asyncio.sleep(5)
        assert len(stage.handler.handled) > 1000
        # 2 MiB of them above the base limit.
        assert source.most_held <= 20 + MIN_LIMIT + 8


@pytest.mark.parametrize("slots", [4, 20])
async def test_prefetched_messages_are_released_when_a_container_far_from_the_queue_hangs(slots: int) -> None:
    stage, source = far(9000)
    async with stage.running(slots=slots):
        await until(lambda: len(stage.handler.handled) > 1000)
        stage.handler.takes_s = 60
        await asyncio.sleep(5)
        given_back = sum(event.messages for event in stage.seen.of(ReleasedUnstarted))
        assert given_back <= min(MIN_LIMIT + MAX_EXTRA_PER_SLOT * slots, MAX_LIMIT)
        held = [lease for lease in source.handed if not lease.settled]
        assert len(held) == slots
        asked = len(source.limits)
        await asyncio.sleep(30)
        assert len(source.limits) == asked


async def test_one_long_poll_is_left_when_the_queue_becomes_empty() -> None:
    stage, source = far(3000)
    async with stage.running(slots=100):
        await until(lambda: len(stage.handler.handled) == 3000)
        await asyncio.sleep(1)
        assert source.most_under_way > 2
        assert len(source.under_way) == 1
        assert source.waits[next(iter(source.under_way))]
        asked = len(source.limits)
        await asyncio.sleep(60)
        assert len(source.limits) - asked == 3
        assert all(source.waits[asked:])


async def test_one_receive_at_a_time_while_the_queue_returns_few_messages() -> None:
    class Trickle(FarSource):
        def _hand_out(self, limit: int) -> Sequence[Lease]:
            return super()._hand_out(min(limit, 3))

    stage = Stage()
    stage.source = source = Trickle(600)
    async with stage.running(slots=100):
        await until(lambda: len(stage.handler.handled) == 600)
        assert source.most_under_way == 1


@pytest.mark.parametrize("closing", ["drain", "gate"])
async def test_messages_of_all_receives_that_come_after_the_end_are_released(closing: str) -> None:
    stage, source = far(3000, takes_s=0.02)
    async with stage.running(slots=100) as task:
        await until(lambda: len(source.under_way) >= 3)
        begun = len(stage.handler.handled) + stage.handler.running
        if closing == "drain":
            stage.drain.request()
            await task
        else:
            stage.readiness.set(is_open=False)
            await asyncio.sleep(1)
            assert source.under_way == {}
        assert len(stage.handler.handled) == begun
        late = [lease for lease in source.handed if lease.settled != [("ack", 0)]]
        assert len(late) >= 30
        assert all(lease.settled == [("release", 0)] for lease in late)


async def test_releases_of_many_late_receives_that_hang_delay_the_end_no_longer_than_one_does() -> None:
    stage, source = far(3000, takes_s=0.02)
    async with stage.running(slots=100) as task:
        await until(lambda: len(source.under_way) >= 5)
        source.lease = HangingLease
        stage.drain.request()
        async with asyncio.timeout(2 * SETTLEMENT_TIMEOUT_S):
            await asyncio.wait({task})


async def test_after_a_failed_receive_there_is_one_at_a_time_after_a_pause() -> None:
    stage, source = far(3000)
    async with stage.running(slots=100):
        await until(lambda: len(source.under_way) >= 3)
        source.errors = [SourceUnavailableError("throttled")] * 40
        asked = len(source.limits)
        await asyncio.sleep(20)
        assert source.errors
        assert len(source.limits) - asked < 40
        source.errors.clear()
        await asyncio.sleep(10)
        assert len(stage.handler.handled) == 3000


async def test_after_an_outage_a_failure_is_the_first_one_again() -> None:
    stage = Stage()
    stage.source = source = FarSource(0, poll_wait_s=0.5)
    async with stage.running():
        source.errors = [SourceUnavailableError("down")] * 20
        await until(lambda: not source.errors)
        await asyncio.sleep(6)
        asked = len(source.limits)
        for _ in range(10):
            source.errors = [SourceUnavailableError("once")]
            await until(lambda: not source.errors)
            await asyncio.sleep(6)
    # A poll takes 0.55 s, a first pause 0.2 s at most; the pauses of the outage took up to 5 s.
    assert len(source.limits) - asked > 90


async def test_a_deleted_queue_ends_the_work_and_messages_of_other_receives_are_released() -> None:
    stage, source = far(3000, takes_s=0.02)
    async with stage.running(slots=100) as task:
        await until(lambda: len(source.under_way) >= 3)
        source.errors = [SourceGoneError("deleted")]
        with pytest.raises(SourceGoneError):
            await task
    assert all(len(lease.settled) == 1 for lease in source.handed)


class FarLease(FakeLease):
    """Its acknowledgement takes 20 ms."""

    async def ack(self) -> None:
        await asyncio.sleep(0.03)
        await super().ack()


class FarStore(ScriptedHandler):
    """Reads input for 20 ms, has a container that takes no time, and stores the outcome with two requests of 30 ms."""

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        self.takes_s = 0.02
        outcome = await super().handle(message, fence)
        fence.release_slot()
        await asyncio.sleep(0.06)
        return outcome


@pytest.mark.parametrize("slots", [1, 4, 16, 40])
async def test_the_distance_to_the_store_does_not_limit_the_throughput(slots: int) -> None:
    stage, source = Stage(), FarSource(100 * slots, away_s=0.02)
    source.lease = FarLease
    stage.source, stage.handler = source, FarStore()
    async with stage.running(slots=slots):
        await until(lambda: len(stage.handler.handled) == 100 * slots)
        # Little's law: the number of slots divided by the time that reading takes.
        assert 100 * slots / now() > 0.9 * slots / 0.02
        assert stage.handler.most_running <= slots


async def test_the_number_of_slots_limits_the_messages_being_stored() -> None:
    stage, source = far(3000, takes_s=0.001)
    never = asyncio.Event()

    class HeldUp(FarSource):
        def _hand_out(self, limit: int) -> Sequence[Lease]:
            new = super()._hand_out(limit)
            for lease in self.handed:
                lease.ack_may_return = never
            return new

    stage.source = source = HeldUp(3000)
    async with stage.running(slots=50):
        await asyncio.sleep(5)
        assert len(stage.handler.handled) == 50 + MAX_STORING_LIMIT + MAX_UNCOUNTED_SETTLING
        assert len(source.handed) == len(stage.handler.handled)
