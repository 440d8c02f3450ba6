import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.core.events import LeaseLost, Settled, SlotsChanged
from dequeuer.core.message import Done, Fence, Message, Outcome, Reject, Requeue, Retry
from dequeuer.sources.base import Lease
from dequeuer.worker.attempts import MAX_UNCOUNTED_CHARS, MAX_UNCOUNTED_SETTLING, MIN_STORING_LIMIT
from tests.fakes import FakeLease, FakeSource, make_message
from tests.worker.stage import DONE, ScriptedHandler, Stage, leases

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize(
    ("outcome", "redrive", "settled", "settlement"),
    [
        (DONE, False, [("ack", 0)], "completed"),
        (Done(state="failed", reason="no"), True, [("ack", 0)], "failed"),
        (Retry(after_s=7, reason="later"), False, [("release", 7)], "retried"),
        (Reject(after_s=3, reason="bad"), True, [("release", 3)], "rejected"),
        (Reject(after_s=3, reason="bad"), False, [("ack", 0)], "rejected"),
        (Reject(after_s=3, reason="bad", poison=True), True, [("release", 3)], "poison"),
        (Reject(after_s=3, reason="bad", poison=True), False, [("ack", 0)], "poison"),
    ],
)
async def test_each_outcome_has_its_settlement(
    outcome: Outcome, redrive: bool, settled: list[tuple[str, float]], settlement: str
) -> None:
    stage = Stage()
    stage.source.has_redrive = redrive
    stage.handler.outcome = outcome
    [lease] = leases(1)
    stage.source.bring(lease)
    async with stage.running():
        await asyncio.sleep(1)
        assert lease.settled == settled
        assert stage.settlements() == [settlement]


async def test_requeue_sends_a_copy_and_deletes_the_original() -> None:
    stage = Stage()
    stage.handler.outcome = Requeue(reason="not yet")
    [lease] = leases(1)
    stage.source.bring(lease)
    async with stage.running():
        await asyncio.sleep(1)
        assert stage.source.copies == [lease]
        assert lease.settled == [("ack", 0)]


async def test_the_original_is_not_deleted_when_its_lease_ends_after_the_copy_was_sent() -> None:
    class Slow(FakeSource):
        async def copy(self, lease: Lease) -> None:
            await asyncio.sleep(40)

    stage = Stage()
    stage.source = Slow()
    stage.handler.outcome = Requeue(reason="not yet")
    lease = FakeLease(make_message(), failures=[SourceUnavailableError("away")] * 1000)
    stage.source.bring(lease)
    async with stage.running():
        await asyncio.sleep(100)
    assert lease.calls == []
    assert stage.settlements() == ["lease_lost"]


async def test_nothing_is_received_while_the_container_is_not_ready() -> None:
    stage = Stage()
    stage.readiness.set(is_open=False)
    async with stage.running():
        await asyncio.sleep(100)
        assert stage.source.limits == []
        stage.readiness.set(is_open=True)
        await asyncio.sleep(1)
        assert stage.source.limits == [1]


async def test_messages_that_a_poll_brings_after_the_gate_closed_are_released_at_once() -> None:
    stage = Stage()
    brought = leases(3)
    async with stage.running(slots=5):
        await asyncio.sleep(1)
        stage.readiness.set(is_open=False)
        stage.source.bring(*brought)
        await asyncio.sleep(1)
        assert [lease.settled for lease in brought] == [[("release", 0)]] * 3
        assert stage.handler.handled == []


async def test_receives_in_tens_and_never_more_than_there_are_free_slots() -> None:
    stage = Stage()
    stage.handler.takes_s = 10
    stage.source.bring(*leases(10))
    stage.source.bring(*leases(2))
    async with stage.running(slots=12):
        await asyncio.sleep(5)
        assert stage.source.limits == [10, 2]
        assert stage.handler.most_running == 12
        await asyncio.sleep(6)
        assert stage.source.limits[2:] == [10]


async def test_messages_being_acknowledged_use_no_slot_but_their_number_is_limited() -> None:
    stage = Stage()
    release = asyncio.Event()
    most = 1 + MIN_STORING_LIMIT + MAX_UNCOUNTED_SETTLING
    for number in range(most + 10):
        stage.source.bring(FakeLease(make_message(f"r{number}"), ack_may_return=release))
    async with stage.running(slots=1):
        await asyncio.sleep(5)
        assert len(stage.handler.handled) == most
        release.set()
        await asyncio.sleep(5)
        assert len(stage.handler.handled) == most + 10


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        # Another delivery would have the container work again.
        (Done(state="succeeded"), make_message("r")),
        # It stays in memory until it is settled.
        (DONE, make_message("r" * (MAX_UNCOUNTED_CHARS + 1))),
        (DONE, replace(make_message("r"), attributes_chars=MAX_UNCOUNTED_CHARS)),
    ],
)
async def test_only_small_messages_whose_outcome_is_stored_use_no_capacity_while_they_are_acknowledged(
    outcome: Outcome, message: Message
) -> None:
    stage = Stage()
    stage.handler.outcome = outcome
    release = asyncio.Event()
    for _ in range(MIN_STORING_LIMIT + 10):
        stage.source.bring(FakeLease(message, ack_may_return=release))
    async with stage.running(slots=1):
        await asyncio.sleep(5)
        assert len(stage.handler.handled) == MIN_STORING_LIMIT + 1


async def test_a_slot_is_free_after_the_response_and_the_number_of_messages_being_stored_is_limited() -> None:
    class Storing(ScriptedHandler):
        """Gets a response after a second; then the store is unavailable."""

        async def handle(self, message: Message, fence: Fence) -> Outcome:
            await super().handle(message, fence)
            fence.release_slot()
            await stored.wait()
            return DONE

    stored = asyncio.Event()
    stage = Stage()
    stage.handler = Storing()
    stage.handler.takes_s = 1
    brought = leases(MIN_STORING_LIMIT + 10)
    for lease in brought:
        stage.source.bring(lease)
    async with stage.running(slots=1):
        await asyncio.sleep(100)
        assert len(stage.handler.handled) == MIN_STORING_LIMIT + 1
        assert stage.handler.most_running == 1
        stored.set()
        await asyncio.sleep(100)
        assert stage.handler.most_running == 1
        assert [lease.settled for lease in brought] == [[("ack", 0)]] * len(brought)
        assert stage.seen.of(SlotsChanged)[-1].busy == 0


async def test_a_message_without_a_slot_does_not_keep_others_waiting() -> None:
    stage = Stage()
    stage.handler.slotless = True
    stage.handler.takes_s = 10
    stage.source.bring(*leases(1))
    stage.source.bring(*leases(1))
    async with stage.running(slots=1):
        await asyncio.sleep(5)
        assert stage.handler.running == 2


async def test_a_bug_costs_the_message_an_attempt_and_not_the_process() -> None:
    stage = Stage()
    stage.handler.outcome = KeyError("a bug")
    first, second = leases(2)
    stage.source.bring(first)
    async with stage.running() as task:
        await asyncio.sleep(1)
        [(what, after_s)] = first.settled
        assert what == "release"
        assert 1 <= after_s <= 60
        stage.handler.outcome = DONE
        stage.source.bring(second)
        await asyncio.sleep(1)
        assert second.settled == [("ack", 0)]
        assert not task.done()
    assert "KeyError" in stage.seen.of(Settled)[0].reason
    assert "a bug'" not in stage.seen.of(Settled)[0].reason


async def test_a_handler_that_finds_the_queue_deleted_is_no_bug(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    stage.handler.outcome = SourceGoneError("deleted")
    [lease] = leases(1)
    stage.source.bring(lease)
    async with stage.running():
        await asyncio.sleep(1)
    assert not lease.settled
    assert stage.seen.of(Settled)[0].reason == "deleted"
    assert "bug" not in caplog.text


async def test_receives_are_repeated_until_the_queue_is_available() -> None:
    stage = Stage()
    for _ in range(20):
        stage.source.fail_receive(SourceUnavailableError("away"))
    stage.source.fail_receive(SourceDeniedError("the keys are being rotated"))
    [lease] = leases(1)
    stage.source.bring(lease)
    async with stage.running():
        await asyncio.sleep(1000)
        assert lease.settled == [("ack", 0)]


async def test_a_deleted_queue_ends_the_work() -> None:
    stage = Stage()
    stage.source.fail_receive(SourceGoneError("deleted"))
    async with stage.running() as task:
        with pytest.raises(SourceGoneError):
            await task


async def test_an_unexpected_error_of_the_source_ends_the_work_and_is_raised() -> None:
    stage = Stage()
    stage.source.fail_receive(ZeroDivisionError())
    async with stage.running() as task:
        with pytest.raises(ZeroDivisionError):
            await task


async def test_a_settlement_is_repeated_until_the_queue_accepts_it() -> None:
    stage = Stage()
    lease = FakeLease(make_message(), failures=[SourceUnavailableError("away")] * 5)
    stage.source.bring(lease)
    async with stage.running():
        await asyncio.sleep(100)
        assert lease.settled == [("ack", 0)]


async def test_after_ack_runs_after_the_ack_and_only_then() -> None:
    stage = Stage()
    [lease] = leases(1)
    order: list[list[tuple[str, float]]] = []

    async def clean_up() -> None:
        order.append(list(lease.settled))

    stage.handler.outcome = Done(state="completed", after_ack=clean_up)
    stage.source.bring(lease)
    refused = FakeLease(make_message(), failures=[LeaseLostError("refused")])
    stage.source.bring(refused)
    async with stage.running():
        await asyncio.sleep(1)
    assert order == [[("ack", 0)]]
    assert stage.settlements() == ["completed", "lease_lost"]


async def test_a_lost_lease_cancels_the_work_and_settles_nothing() -> None:
    stage = Stage()
    stage.handler.takes_s = 100
    lease = FakeLease(make_message(), failures=[LeaseLostError("expired")])
    stage.source.bring(lease)
    async with stage.running():
        await asyncio.sleep(50)
        assert stage.handler.handled == []
        assert lease.calls == []
        assert stage.settlements() == ["lease_lost"]
        assert len(stage.seen.of(LeaseLost)) == 1
        assert stage.seen.of(SlotsChanged)[-1].busy == 0


class CountingEnd:
    def __init__(self, over_after: int) -> None:
        self.asked = 0
        self.messages = 0
        self._over_after = over_after

    def saw_messages(self) -> None:
        self.messages += 1

    async def is_over(self) -> bool:
        self.asked += 1
        return self.asked >= self._over_after


async def test_the_watch_ends_the_work_when_nothing_is_left() -> None:
    stage = Stage()
    end_of_work = CountingEnd(over_after=2)
    stage.source.bring(*leases(1))
    async with stage.running(end_of_work=end_of_work) as task:
        await asyncio.sleep(1)
        stage.source.bring()
        stage.source.bring()
        await task
    assert (end_of_work.messages, end_of_work.asked) == (1, 2)
    assert stage.handler.handled == ["r0"]


async def test_the_watch_is_not_asked_while_a_message_is_in_flight() -> None:
    stage = Stage()
    end_of_work = CountingEnd(over_after=1)
    stage.handler.takes_s = 10
    stage.source.bring(*leases(1))
    stage.source.bring()
    async with stage.running(slots=2, end_of_work=end_of_work) as task:
        await asyncio.sleep(5)
        assert end_of_work.asked == 0
        await asyncio.sleep(6)
        stage.source.bring()
        await task
    assert stage.settlements() == ["completed"]


async def test_liveness_fails_when_a_receive_does_not_end() -> None:
    stage = Stage()
    async with stage.running():
        await asyncio.sleep(29)
        assert stage.worker is not None
        assert stage.worker.is_live(30)
        await asyncio.sleep(2)
        assert not stage.worker.is_live(30)
        stage.readiness.set(is_open=False)
        stage.source.bring()
        await asyncio.sleep(1)
        assert stage.worker.is_live(30)


async def test_every_received_message_is_reported_as_settled_exactly_once() -> None:
    stage = Stage()
    outcomes: list[Outcome | Exception] = [DONE, Retry(after_s=1, reason=""), ValueError()]
    async with stage.running(slots=2):
        for outcome in outcomes:
            stage.handler.outcome = outcome
            stage.source.bring(*leases(2))
            await asyncio.sleep(1)
    assert len(stage.settlements()) == 6


async def test_a_receive_whose_request_was_cancelled_is_repeated() -> None:
    class Cancelling(FakeSource):
        async def receive(self, limit: int, *, wait_s: int | None = None) -> Sequence[Lease]:
            if not self.limits:
                self.limits.append(limit)
                raise asyncio.CancelledError
            return await super().receive(limit, wait_s=wait_s)

    stage = Stage()
    stage.source = Cancelling()
    stage.source.bring(*leases(1))
    async with stage.running() as task:
        await asyncio.sleep(1)
        assert stage.settlements() == ["completed"]
        assert not task.done()
