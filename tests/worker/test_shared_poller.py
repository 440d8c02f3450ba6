"""Several queues share the slots of one worker: by weight, without waste, and each with faults of its own."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from dequeuer.core.errors import SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.core.events import ReleasedUnstarted
from dequeuer.core.message import Fence, Message, Outcome
from dequeuer.core.readiness import Condition
from dequeuer.sources.base import Lease
from dequeuer.worker.shared_poller import WeightedSource
from dequeuer.worker.turns import SHORT_POLL_S
from tests.fakes import FakeLease, FakeSource, make_message
from tests.worker.stage import ScriptedHandler, Stage, now

pytestmark = pytest.mark.looptime

AWAY_S = 0.01
STEP_S = 0.05
LIMIT_S = 2000
LONG_POLL_S = 20


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - in virtual time polling costs little
            await asyncio.sleep(STEP_S)


class NamedSource(FakeSource):
    """A queue with a number of messages. Each has its name."""

    def __init__(self, name: str, messages: int = 0) -> None:
        super().__init__()
        self.name = name
        self.left = messages
        self.max_receives: int | None = None
        self.handed: list[FakeLease] = []
        self.waits: list[int | None] = []
        self.asked_at: list[float] = []
        self.errors: list[Exception] = []
        self.error: Exception | None = None
        """Of every receive, while there is one."""
        self.hangs = False
        self.away_s = AWAY_S
        self.under_way = 0
        self.arrived = asyncio.Event()

    def send(self, messages: int) -> None:
        """Add messages."""
        self.left += messages
        self.arrived.set()

    async def receive(self, limit: int, *, wait_s: int | None = None) -> Sequence[Lease]:
        self.limits.append(limit)
        self.waits.append(wait_s)
        self.asked_at.append(now())
        self.under_way += 1
        try:
            await asyncio.sleep(self.away_s)
            if self.hangs:
                await asyncio.sleep(50)
                raise SourceUnavailableError("no response")
            if self.error is not None:
                raise self.error
            if not self.left and wait_s != 0:
                self.arrived.clear()
                await asyncio.wait(
                    {asyncio.ensure_future(self.arrived.wait())}, timeout=min(wait_s or LONG_POLL_S, LONG_POLL_S)
                )
        finally:
            self.under_way -= 1
        count = min(limit, self.left)
        self.left -= count
        message = replace(make_message(self.name), max_receives=self.max_receives)
        new = [FakeLease(message, source=self) for _ in range(count)]
        self.handed += new
        return new


class CountingHandler(ScriptedHandler):
    """Says when a number of messages is handled. Polling for it would take the test long."""

    def __init__(self) -> None:
        super().__init__()
        self.times: Iterator[float] = iter(())
        self._target = 0
        self._reached = asyncio.Event()

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        self.takes_s = next(self.times, self.takes_s)
        outcome = await super().handle(message, fence)
        if len(self.handled) >= self._target:
            self._reached.set()
        return outcome

    async def reached(self, count: int) -> None:
        """Wait until `count` messages are handled."""
        self._target = count
        if len(self.handled) < count:
            self._reached.clear()
            async with asyncio.timeout(LIMIT_S):
                await self._reached.wait()


class SharedStage(Stage):
    """A worker of several queues, the first the most important one."""

    handler: CountingHandler

    def __init__(self, *sources: tuple[NamedSource, int], lease_s: float = 30) -> None:
        super().__init__(lease_s)
        self.handler = CountingHandler()
        self.sources = sources
        self.open = [Condition() for _ in sources]
        self.pause = self.halt = Condition()

    def for_worker(self) -> Sequence[WeightedSource]:
        return [
            WeightedSource(source=source, weight=weight, readiness=condition)
            for (source, weight), condition in zip(self.sources, self.open, strict=True)
        ]

    def shares(self, of: int) -> Counter[str]:
        """Return how many of the first messages came from each queue."""
        return Counter(self.handler.handled[:of])

    @property
    def released(self) -> int:
        """How many messages were released before their work began."""
        return sum(event.messages for event in self.seen.of(ReleasedUnstarted))


@pytest.mark.parametrize(("slots", "takes_s"), [(1, 3.0), (1, 0.02), (4, 0.3), (30, 0.3)])
@pytest.mark.parametrize("weights", [(4, 1), (1, 1), (9, 1)])
async def test_busy_queues_are_served_by_their_weights(slots: int, takes_s: float, weights: tuple[int, int]) -> None:
    high, low = NamedSource("high", 5000), NamedSource("low", 5000)
    stage = SharedStage((high, weights[0]), (low, weights[1]))
    stage.handler.takes_s = takes_s
    async with stage.running(slots):
        await stage.handler.reached(400)
    shares = stage.shares(400)
    # A receive of ten more or less, at the begin and at the end, and what the slots and the buffer hold.
    assert shares["low"] == pytest.approx(400 * weights[1] / sum(weights), abs=min(40, 12 + slots))


@pytest.mark.parametrize(("slots", "takes_s"), [(1, 0.3), (4, 3.0), (30, 0.3)])
async def test_three_queues_share_likewise(slots: int, takes_s: float) -> None:
    sources = [(NamedSource(name, 5000), weight) for name, weight in (("high", 6), ("middle", 3), ("low", 1))]
    stage = SharedStage(*sources)
    stage.handler.takes_s = takes_s
    async with stage.running(slots):
        await stage.handler.reached(400)
    shares = stage.shares(400)
    for name, expected in (("high", 240), ("middle", 120), ("low", 40)):
        assert shares[name] == pytest.approx(expected, abs=25), name


@pytest.mark.parametrize("low_messages", [10_000, 0])
async def test_slots_that_become_free_one_by_one_while_a_far_queue_is_asked_do_not_change_the_shares(
    low_messages: int,
) -> None:
    high, low = NamedSource("high", 10_000), NamedSource("low", low_messages)
    high.away_s = low.away_s = 0.2
    stage = SharedStage((high, 9), (low, 1))
    stage.handler.times = itertools.cycle([1.0, 1.3, 0.7, 1.1, 0.9, 1.7, 0.6])
    async with stage.running(4):
        await stage.handler.reached(50)
        began = now()
        await stage.handler.reached(450)
        took_s = now() - began
    assert Counter(stage.handler.handled[50:450])["low"] == pytest.approx(40 if low_messages else 0, abs=12)
    # With messages at once it would be 104 s. An empty queue that is waited at takes a slot for 2 s each time: 124 s.
    assert took_s < 119


@pytest.mark.parametrize(
    ("slots", "takes_s", "lost_share"), [(1, 0.3, 0.06), (1, 3.0, 0.02), (4, 3.0, 0.02), (30, 0.3, 0.1)]
)
@pytest.mark.parametrize("busy", ["high", "low"])
async def test_an_empty_queue_leaves_its_share_to_the_others(
    slots: int, takes_s: float, lost_share: float, busy: str
) -> None:
    high, low = (NamedSource(name, 10_000 if name == busy else 0) for name in ("high", "low"))
    stage = SharedStage((high, 4), (low, 1))
    stage.handler.takes_s = takes_s
    async with stage.running(slots):
        await asyncio.sleep(10)  # by now each empty queue is known to be empty
        began, done = now(), len(stage.handler.handled)
        await stage.handler.reached(done + 200)
        used = 200 * takes_s / (slots * (now() - began))
    # The response of the queue takes 10 ms; of three long poll slots none is kept free.
    assert used > 1 - lost_share - AWAY_S / takes_s


async def test_an_idle_queue_saves_nothing_for_later() -> None:
    high, low = NamedSource("high", 100_000), NamedSource("low")
    stage = SharedStage((high, 1), (low, 1))
    stage.handler.takes_s = 0.1
    async with stage.running(1):
        await asyncio.sleep(60)
        low.send(1000)
        await asyncio.sleep(3)
        done = len(stage.handler.handled)
        await stage.handler.reached(done + 400)
        shares = Counter(stage.handler.handled[done : done + 400])
    assert shares["low"] == pytest.approx(200, abs=25)


@pytest.mark.parametrize("slots", [1, 2])
async def test_with_fewer_slots_than_queues_nothing_is_received_that_cannot_be_begun(slots: int) -> None:
    sources = [(NamedSource(name), 1) for name in ("high", "middle", "low")]
    stage = SharedStage(*sources)
    stage.handler.takes_s = 7.0
    async with stage.running(slots):
        for _ in range(20):
            for source, _weight in sources:
                source.send(1)
            await asyncio.sleep(11)
        await stage.handler.reached(60)
    assert stage.released == 0
    assert stage.handler.most_running == slots
    assert {lease.calls[-1] for source, _ in sources for lease in source.handed} == {("ack", 0.0)}


@pytest.mark.parametrize("name", ["high", "low"])
async def test_a_message_at_an_idle_worker_waits_for_the_turn_of_its_queue_at_most(name: str) -> None:
    sources = {name: NamedSource(name) for name in ("high", "middle", "low")}
    stage = SharedStage(*((source, 1) for source in sources.values()))
    async with stage.running(1):
        await asyncio.sleep(100.5)
        began = now()
        sources[name].send(1)
        await stage.handler.reached(1)
        assert now() - began < 2 * SHORT_POLL_S + 0.1


async def test_with_enough_slots_each_empty_queue_has_one_long_poll() -> None:
    high, low = NamedSource("high"), NamedSource("low")
    stage = SharedStage((high, 4), (low, 1))
    async with stage.running(20):
        await asyncio.sleep(600)
        for source in (high, low):
            assert set(source.waits[2:]) == {None}
            assert len(source.waits) <= 2 + 600 / LONG_POLL_S
        began = now()
        low.send(1)
        await stage.handler.reached(1)
        assert now() == pytest.approx(began)


async def test_with_few_slots_an_idle_queue_costs_a_request_in_two_seconds() -> None:
    high, low = NamedSource("high"), NamedSource("low")
    stage = SharedStage((high, 4), (low, 1))
    async with stage.running(1):
        await asyncio.sleep(600)
    assert len(high.waits) + len(low.waits) == pytest.approx(600 / SHORT_POLL_S, abs=10)


async def test_while_another_queue_has_messages_an_empty_one_is_looked_at_once_in_a_second() -> None:
    high, low = NamedSource("high", 100_000), NamedSource("low")
    stage = SharedStage((high, 4), (low, 1))
    stage.handler.takes_s = 0.2
    async with stage.running(1):
        await asyncio.sleep(5)
        looks = len(low.waits)
        await asyncio.sleep(60)
        assert 20 < len(low.waits) - looks <= 62


@pytest.mark.parametrize("error", [SourceUnavailableError("no"), SourceDeniedError("no"), SourceGoneError("no")])
@pytest.mark.parametrize("slots", [1, 4])
async def test_an_outage_of_one_queue_does_not_stop_the_others(error: Exception, slots: int) -> None:
    high, low = NamedSource("high", 100), NamedSource("low", 1000)
    stage = SharedStage((high, 9), (low, 1))
    stage.handler.takes_s = 0.1
    high.error = error
    async with stage.running(slots) as running:
        await stage.handler.reached(300)
        assert now() < 300 * 0.15 / slots
        assert not high.handed
        high.error = None
        await until(lambda: not high.left)
        assert not running.done()


async def test_a_queue_that_hangs_keeps_no_slot_free_for_long() -> None:
    high, low = NamedSource("high", 100), NamedSource("low", 1000)
    stage = SharedStage((high, 9), (low, 1))
    stage.handler.takes_s = 0.1
    async with stage.running(1):
        await stage.handler.reached(10)
        high.hangs = True
        await asyncio.sleep(5)
        done = len(stage.handler.handled)
        await asyncio.sleep(30)
        assert len(stage.handler.handled) - done > 200
        high.hangs = False
        await until(lambda: not high.left)


async def test_the_worker_ends_when_no_queue_exists_any_more() -> None:
    high, low = NamedSource("high"), NamedSource("low")
    stage = SharedStage((high, 9), (low, 1))
    high.error = low.error = SourceGoneError("gone")
    async with stage.running(1) as running:
        await asyncio.wait({running}, timeout=10)
        assert isinstance(running.exception(), SourceGoneError)


async def test_nothing_is_received_from_a_queue_that_is_closed_and_what_it_has_brought_is_released() -> None:
    high, low = NamedSource("high", 100_000), NamedSource("low", 100_000)
    stage = SharedStage((high, 1), (low, 1))
    stage.handler.takes_s = 0.02
    async with stage.running(1):
        await stage.handler.reached(100)
        while len(high.handed) - stage.handler.handled.count("high") < 5:
            await stage.handler.reached(len(stage.handler.handled) + 1)
        stage.open[0].set(is_open=False)
        await asyncio.sleep(0.1)
        asked, done = len(high.limits), len(stage.handler.handled)
        await asyncio.sleep(30)
        assert len(high.limits) == asked
        assert set(stage.handler.handled[done + 1 :]) == {"low"}
        assert all(lease.settled for lease in high.handed)
        assert {event.reason for event in stage.seen.of(ReleasedUnstarted)} == {"not_ready"}
        stage.open[0].set(is_open=True)
        await asyncio.sleep(2)
        assert "high" in stage.handler.handled[-20:]


async def test_a_pause_holds_all_queues_and_ends() -> None:
    high, low = NamedSource("high", 100_000), NamedSource("low", 100_000)
    stage = SharedStage((high, 1), (low, 1))
    stage.handler.takes_s = 1
    async with stage.running(2):
        await stage.handler.reached(10)
        stage.halt.set(is_open=False)
        await asyncio.sleep(5)
        asked = len(high.limits) + len(low.limits)
        await asyncio.sleep(60)
        assert len(high.limits) + len(low.limits) == asked
        stage.halt.set(is_open=True)
        await asyncio.sleep(5)
        assert len(high.limits) + len(low.limits) > asked


async def test_a_receive_under_way_when_its_queue_is_closed_brings_messages_that_are_released() -> None:
    high, low = NamedSource("high"), NamedSource("low")
    stage = SharedStage((high, 1), (low, 1))
    async with stage.running(40):
        await asyncio.sleep(5)
        stage.open[0].set(is_open=False)
        high.send(1)
        low.send(1)
        await until(lambda: len(stage.handler.handled) == 1 and bool(high.handed))
        await asyncio.sleep(1)
    assert stage.handler.handled == ["low"]
    assert high.handed[0].calls == [("release", 0.0)]


async def test_a_drain_releases_what_the_polls_of_all_queues_still_bring() -> None:
    high, low = NamedSource("high"), NamedSource("low")
    stage = SharedStage((high, 1), (low, 1))
    stage.handler.takes_s = 5
    async with stage.running(40) as running:
        await asyncio.sleep(3)
        low.send(1)
        await asyncio.sleep(3)
        stage.drain.request()
        high.send(1)
        low.send(1)
        await asyncio.wait({running})
    assert stage.handler.handled == ["low"]
    for source in (high, low):
        assert source.handed[-1].calls == [("release", 0.0)]
    assert not high.under_way
    assert not low.under_way


async def test_each_message_is_settled_in_its_own_queue() -> None:
    high, low = NamedSource("high", 1), NamedSource("low", 1)
    high.max_receives = 1
    stage = SharedStage((high, 1), (low, 1))
    stage.handler.takes_s = 1e6
    async with stage.running(20):
        await until(lambda: stage.handler.running == 2)
    # The redrive policy of the one queue says nothing about the other.
    assert high.copies == high.handed
    assert low.handed[0].settled == [("release", 0.0)]
