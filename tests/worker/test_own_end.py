"""A worker that ends by itself: after a number of messages, or after a time without any. Nothing is lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from dequeuer.core.errors import SourceUnavailableError
from dequeuer.core.events import ProcessPhaseChanged, ReleasedUnstarted
from dequeuer.core.message import Done, Outcome, Reject, Retry
from dequeuer.core.readiness import Condition
from dequeuer.sources.base import Lease
from dequeuer.worker.own_end import OwnEnd
from tests.worker.stage import DONE, Stage, now
from tests.worker.test_shared_poller import LONG_POLL_S, NamedSource, SharedStage

pytestmark = pytest.mark.looptime

LATE_S = 2.0
"""How much later than its time an idle worker may end: the last poll waits for a whole second, and one is 10 ms away."""


class OwnStage(Stage):
    """A worker of one queue, which has long polls."""

    source: NamedSource

    def __init__(self, messages: int = 0, *, max_messages: int | None = None, idle_s: float | None = None) -> None:
        super().__init__()
        self.source = NamedSource("r", messages)
        self.own_end = OwnEnd(max_messages=max_messages, idle_s=idle_s)

    def phases(self) -> list[str]:
        return [event.phase for event in self.seen.of(ProcessPhaseChanged)]


async def ends(task: asyncio.Task[None], within_s: float = 3600) -> float:
    """Return when the worker has ended. It must end without an error."""
    await asyncio.wait({task}, timeout=within_s)
    assert task.done(), "it has not ended"
    task.result()
    return now()


def unsettled(sources: Sequence[NamedSource]) -> int:
    return sum(not lease.settled for source in sources for lease in source.handed)


@pytest.mark.parametrize("slots", [1, 4, 30])
@pytest.mark.parametrize("max_messages", [1, 5, 37])
@pytest.mark.parametrize("takes_s", [0.0, 0.02, 5.0])
async def test_it_ends_after_the_number_of_messages_and_has_received_no_more(
    slots: int, max_messages: int, takes_s: float
) -> None:
    stage = OwnStage(1000, max_messages=max_messages)
    stage.handler.takes_s = takes_s
    async with stage.running(slots) as task:
        await ends(task)
    assert len(stage.handler.handled) == max_messages
    assert len(stage.source.handed) == max_messages
    assert all(lease.settled == [("ack", 0)] for lease in stage.source.handed)
    assert stage.phases() == ["max_messages"]


async def test_a_message_that_is_to_be_tried_again_has_not_ended() -> None:
    stage = OwnStage(9, max_messages=2)
    stage.handler.outcome = Retry(after_s=1, reason="not now")
    async with stage.running() as task:
        await asyncio.sleep(1)
        assert len(stage.handler.handled) == 9
        assert not task.done()
        stage.handler.outcome = DONE
        stage.source.send(5)
        await ends(task)
    assert stage.settlements() == 9 * ["retried"] + 2 * ["completed"]
    assert len(stage.source.handed) == 11


@pytest.mark.parametrize("outcome", [Done(state="failed"), Reject(after_s=0, reason="500"), DONE])
async def test_a_message_that_has_failed_has_ended(outcome: Outcome) -> None:
    stage = OwnStage(9, max_messages=2)
    stage.handler.outcome = outcome
    async with stage.running() as task:
        await ends(task)
    assert len(stage.source.handed) == 2


async def test_a_prefetched_message_that_gets_no_slot_does_not_count() -> None:
    stage = OwnStage(1000, max_messages=30)
    stage.handler.takes_s = 0.01
    async with stage.running() as task:
        while len(stage.handler.handled) < 10:  # noqa: ASYNC110 - in virtual time polling costs nothing
            await asyncio.sleep(0.001)
        stage.handler.takes_s = 10.0  # what is prefetched waits in vain
        await asyncio.sleep(5)
        assert stage.seen.of(ReleasedUnstarted)
        stage.handler.takes_s = 0.01
        await ends(task)
    assert len(stage.handler.handled) == 30
    released = sum(event.messages for event in stage.seen.of(ReleasedUnstarted))
    assert len(stage.source.handed) == 30 + released
    assert not unsettled([stage.source])


async def test_two_queues_share_the_number_and_what_an_overdue_receive_brings_too_much_is_released() -> None:
    high, low = NamedSource("high", 0), NamedSource("low", 0)
    stage = SharedStage((high, 1), (low, 1))
    stage.own_end = OwnEnd(max_messages=1)
    low.away_s = 20.0  # it hangs, and brings its message after all
    low.send(1)
    stage.handler.takes_s = 100.0
    async with stage.running(slots=4) as task:
        await asyncio.sleep(10)
        high.send(5)
        await ends(task)
    assert stage.handler.handled == ["high"]
    assert [lease.settled for lease in low.handed] == [[("release", 0.0)]]
    assert len(high.handed) == 1
    assert not unsettled([high, low])


@pytest.mark.parametrize("idle_s", [1.0, 5.0, 30.0, 600.0])
async def test_it_ends_when_there_was_nothing_to_do_for_the_time(idle_s: float) -> None:
    stage = OwnStage(idle_s=idle_s)
    async with stage.running() as task:
        ended_at = await ends(task)
    assert idle_s <= ended_at <= idle_s + LATE_S
    assert stage.phases() == ["idle"]
    assert stage.source.under_way == 0


class WatchedSource(NamedSource):
    """Counts the receives that were cut."""

    cut = 0

    async def receive(self, limit: int, *, wait_s: int | None = None) -> Sequence[Lease]:
        try:
            return await super().receive(limit, wait_s=wait_s)
        except asyncio.CancelledError:
            self.cut += 1
            raise


async def test_no_poll_is_cut_by_the_end() -> None:
    """A message that the queue gives to a poll which was cut is hidden for a whole visibility timeout."""
    stage = OwnStage(idle_s=LONG_POLL_S * 1.5)
    stage.source = source = WatchedSource("r")
    async with stage.running() as task:
        ended_at = await ends(task)
    assert ended_at < LONG_POLL_S * 1.5 + LATE_S
    assert not source.cut
    assert [wait for wait in source.waits if wait is not None]


async def test_of_several_queues_no_poll_is_cut_either() -> None:
    near, far = WatchedSource("near"), WatchedSource("far")
    far.away_s = 1.5
    stage = SharedStage((near, 1), (far, 1))
    stage.own_end = OwnEnd(idle_s=30)
    async with stage.running(slots=30) as task:
        ended_at = await ends(task)
    assert ended_at < 30 + LONG_POLL_S + LATE_S
    assert near.cut == far.cut == 0


async def test_the_time_begins_anew_with_each_message_and_when_its_work_has_ended() -> None:
    stage = OwnStage(1, idle_s=10)
    stage.handler.takes_s = 500.0
    async with stage.running(slots=4) as task:
        await asyncio.sleep(505)
        stage.source.send(1)
        stage.handler.takes_s = 1.0
        ended_at = await ends(task)
    assert len(stage.handler.handled) == 2
    assert 516 <= ended_at <= 516 + LATE_S


async def test_while_one_message_is_in_work_it_does_not_end() -> None:
    stage = OwnStage(1, idle_s=10)
    stage.handler.takes_s = 3000.0
    async with stage.running(slots=4) as task:
        await asyncio.sleep(2990)
        assert not task.done()
        ended_at = await ends(task)
    assert 3010 <= ended_at <= 3010 + LATE_S
    assert stage.settlements() == ["completed"]


async def test_while_the_container_is_not_ready_it_does_not_end() -> None:
    """A pod whose container never starts must not look as if it had done its work."""
    stage = OwnStage(idle_s=10)
    stage.readiness.set(is_open=False)
    async with stage.running() as task:
        await asyncio.sleep(50_000)
        assert not task.done()
        assert not stage.source.limits
        stage.readiness.set(is_open=True)
        ended_at = await ends(task)
    assert 50_010 <= ended_at <= 50_010 + LATE_S


@pytest.mark.parametrize("what", ["gate", "pause"])
async def test_time_in_which_nothing_may_be_received_does_not_count(what: str) -> None:
    stage = OwnStage(idle_s=30)
    stage.pause = Condition()

    def set_open(*, is_open: bool) -> None:
        if what == "gate":
            stage.readiness.set(is_open=is_open)
        elif stage.pause is not None:
            stage.pause.set(is_open=is_open)

    async with stage.running() as task:
        await asyncio.sleep(25)
        set_open(is_open=False)
        await asyncio.sleep(1000)
        assert not task.done()
        set_open(is_open=True)
        ended_at = await ends(task)
    assert 1055 <= ended_at <= 1055 + LATE_S


async def test_while_the_queue_is_unavailable_it_does_not_end() -> None:
    stage = OwnStage(idle_s=30)
    async with stage.running() as task:
        await asyncio.sleep(15)
        stage.source.error = SourceUnavailableError("503")
        await asyncio.sleep(2000)
        assert not task.done()
        stage.source.error = None
        ended_at = await ends(task)
    assert ended_at >= 2015 + 30


async def test_of_two_queues_both_must_have_been_empty() -> None:
    high, low = NamedSource("high"), NamedSource("low")
    stage = SharedStage((high, 4), (low, 1))
    stage.own_end = OwnEnd(idle_s=60)
    stage.open[1].set(is_open=False)  # it is refused, or not open yet
    async with stage.running() as task:
        await asyncio.sleep(2000)
        assert not task.done()
        stage.open[1].set(is_open=True)
        low.send(3)
        ended_at = await ends(task)
    assert len(stage.handler.handled) == 3
    assert ended_at >= 2060
    assert not unsettled([high, low])
    assert high.under_way == low.under_way == 0


async def test_what_the_last_poll_brings_is_worked_off_and_the_time_begins_anew() -> None:
    stage = OwnStage(idle_s=10)
    async with stage.running() as task:
        await asyncio.sleep(9.9)
        stage.source.send(1)
        ended_at = await ends(task)
    assert stage.settlements() == ["completed"]
    assert 19.9 <= ended_at <= 19.9 + LATE_S


async def test_a_drain_comes_before_its_own_end() -> None:
    stage = OwnStage(idle_s=1000, max_messages=1000)
    async with stage.running() as task:
        await asyncio.sleep(15)
        stage.drain.request()
        ended_at = await ends(task)
    assert ended_at < 20
    assert stage.phases() == ["drain", "drained"]


async def test_a_poll_waits_as_long_as_the_worker_may_be_idle() -> None:
    """Shorter ones would find the end as well, and be paid for each."""
    own_end = OwnEnd(idle_s=60)
    assert own_end.poll_wait_s == 60
    own_end.found_nothing(now())
    await asyncio.sleep(59.5)
    assert own_end.poll_wait_s == 1
    assert OwnEnd(max_messages=1).poll_wait_s is None
