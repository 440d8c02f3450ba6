import asyncio
from collections.abc import Sequence

import pytest

from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.core.events import LeaseLost, Settled, SlotsChanged
from dequeuer.core.message import Done, Fence, Message, Outcome, Reject, Requeue, Retry
from dequeuer.sources.base import Lease
from dequeuer.worker.attempts import MAX_UNCOUNTED_BODY_CHARS, MAX_UNCOUNTED_SETTLING, MIN_STORING_LIMIT
from dequeuer.worker.worker import LATE_RELEASE_S, RELEASE_TIMEOUT_S
from tests.fakes import FakeLease, FakeSource, make_message
from tests.worker.stage import DONE, ScriptedHandler, Stage, leases, now

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
    ("outcome", "body"),
    [
        # Another delivery would have the container work again.
        (Done(state="succeeded"), "r"),
        # It stays in memory until it is settled.
        (DONE, "r" * (MAX_UNCOUNTED_BODY_CHARS + 1)),
    ],
)
async def test_only_small_messages_whose_outcome_is_stored_use_no_capacity_while_they_are_acknowledged(
    outcome: Outcome, body: str
) -> None:
    stage = Stage()
    stage.handler.outcome = outcome
    release = asyncio.Event()
    for _ in range(MIN_STORING_LIMIT + 10):
        stage.source.bring(FakeLease(make_message(body), ack_may_return=release))
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


async def test_a_drain_finishes_running_work_and_receives_nothing_new() -> None:
    stage = Stage()
    stage.handler.takes_s = 20
    lease, late = leases(2)
    stage.source.bring(lease)
    async with stage.running(slots=2) as task:
        await asyncio.sleep(1)
        stage.drain.request()
        await asyncio.sleep(1)
        stage.source.bring(late)
        await task
    assert now() == pytest.approx(20, abs=0.1)
    assert lease.settled == [("ack", 0)]
    assert late.settled == [("release", 0)]
    assert stage.handler.handled == [lease.message.body]


async def test_an_idle_drain_ends_within_two_seconds_and_releases_late_messages() -> None:
    stage = Stage()
    [late] = leases(1)
    async with stage.running() as task:
        await asyncio.sleep(10)
        stage.source.bring()
        await asyncio.sleep(0.1)
        stage.drain.request()
        await asyncio.sleep(0.3)
        stage.source.bring(late)
        await task
        assert now() - 10 < 2
    assert late.settled == [("release", 0)]


class TakingBack(FakeSource):
    """Delivers a released message to a poll that is open, or whose connection was just closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open_polls = 0

    async def receive(self, limit: int, *, wait: bool = True) -> Sequence[Lease]:
        self.open_polls += 1
        found = await super().receive(limit, wait=wait)
        self.open_polls -= 1
        return found

    def released(self, lease: Lease) -> None:
        if self.open_polls:
            asyncio.get_running_loop().call_later(0.1, self.bring, lease)


@pytest.mark.parametrize("requests", [1, 2])
@pytest.mark.parametrize("begun_s", [0.1, 5])
async def test_a_released_message_that_an_open_poll_receives_again_is_released_again(
    requests: int, begun_s: float
) -> None:
    stage = Stage()
    stage.source = source = TakingBack()
    stage.handler.takes_s = 1000
    [lease] = leases(1)
    lease.on_release = lambda: source.released(lease)
    source.bring(lease)
    async with stage.running(slots=2, grace_s=0.7) as task:
        await asyncio.sleep(1)
        source.bring()
        await asyncio.sleep(begun_s)
        assert source.open_polls == 1
        for _ in range(requests):
            stage.drain.request()
        await task
        assert now() < 1 + begun_s + 3
    assert source.open_polls == 0
    assert lease.settled == [("release", 0)] * 2


async def test_polls_are_read_also_after_work_that_releases_its_message_itself() -> None:
    """The container got SIGTERM, too: the connection broke, and the message is released at once."""
    stage = Stage()
    stage.source = source = TakingBack()
    stage.handler.outcome = Retry(after_s=0, reason="the container is stopping")
    stage.handler.takes_s = 4
    [lease] = leases(1)
    lease.on_release = lambda: source.released(lease)
    source.bring(lease)
    async with stage.running(slots=2, grace_s=20) as task:
        await asyncio.sleep(1)
        source.bring()
        await asyncio.sleep(1)
        assert source.open_polls == 1
        stage.drain.request()
        await task
        assert now() < 4 + 3
    assert source.open_polls == 0
    assert lease.settled == [("release", 0)] * 2


async def test_the_release_of_a_drain_does_not_wait_for_clean_up() -> None:
    class CleaningUp(ScriptedHandler):
        async def handle(self, message: Message, fence: Fence) -> Outcome:
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(3)  # an upload is being aborted
                with pytest.raises(LeaseLostError):
                    fence.check()
            return DONE

    stage = Stage()
    stage.handler = CleaningUp()
    [lease] = leases(1)
    released_at: list[float] = []
    lease.on_release = lambda: released_at.append(now())
    stage.source.bring(lease)
    async with stage.running(grace_s=1) as task:
        await asyncio.sleep(5)
        stage.drain.request()
        await task
    assert released_at == [pytest.approx(6.1, abs=0.05)]
    assert lease.settled == [("release", 0)]
    assert stage.settlements() == ["released"]


async def test_a_drain_while_not_ready_ends_at_once() -> None:
    stage = Stage()
    stage.readiness.set(is_open=False)
    async with stage.running() as task:
        await asyncio.sleep(10)
        stage.drain.request()
        await task
        assert now() - 10 < 2


async def test_after_the_grace_period_unfinished_messages_are_released_at_once() -> None:
    stage = Stage()
    stage.handler.takes_s = 1000
    held = leases(3)
    stage.source.bring(*held)
    async with stage.running(slots=3, grace_s=55) as task:
        await asyncio.sleep(1)
        stage.drain.request()
        await task
        assert now() == pytest.approx(56, abs=0.1)
    assert [lease.settled for lease in held] == [[("release", 0)]] * 3
    assert stage.settlements() == ["released"] * 3


async def test_a_second_drain_request_skips_the_grace_period() -> None:
    stage = Stage()
    stage.handler.takes_s = 1000
    [lease] = leases(1)
    stage.source.bring(lease)
    async with stage.running() as task:
        await asyncio.sleep(1)
        stage.drain.request()
        await asyncio.sleep(1)
        stage.drain.request()
        await task
        assert now() < 4
    assert lease.settled == [("release", 0)]


async def test_leases_are_renewed_during_the_drain() -> None:
    stage = Stage()
    stage.handler.takes_s = 50
    [lease] = leases(1)
    stage.source.bring(lease)
    async with stage.running() as task:
        await asyncio.sleep(1)
        stage.drain.request()
        await task
    assert lease.calls.count(("extend", 30)) == 3
    assert lease.settled == [("ack", 0)]


async def test_no_release_follows_an_acknowledgement_that_is_under_way_when_the_grace_period_ends() -> None:
    stage = Stage()
    slow_answer = asyncio.Event()
    lease = FakeLease(make_message(), ack_may_return=slow_answer)
    stage.source.bring(lease)
    async with stage.running(grace_s=5) as task:
        await asyncio.sleep(1)
        stage.drain.request()
        asyncio.get_running_loop().call_later(6, slow_answer.set)
        await task
    assert lease.settled == [("ack", 0)]
    assert stage.settlements() == ["completed"]


async def test_no_release_follows_an_acknowledgement_that_the_queue_never_answers() -> None:
    """It may still be carried out: a release before it would let another sidecar do the work of a batch again."""
    stage = Stage()
    lease = FakeLease(make_message(), ack_may_return=asyncio.Event())
    stage.source.bring(lease)
    async with stage.running(grace_s=5) as task:
        await asyncio.sleep(1)
        stage.drain.request()
        await task
    assert lease.settled == [("ack", 0)]
    assert stage.settlements() == ["error"]


async def test_a_release_that_hangs_does_not_delay_the_end() -> None:
    class Hanging(FakeLease):
        async def release(self, after_s: float = 0.0) -> None:
            await asyncio.Event().wait()

    stage = Stage()
    stage.handler.takes_s = 1000
    stage.source.bring(Hanging(make_message()))
    async with stage.running(grace_s=1) as task:
        await asyncio.sleep(1)
        stage.drain.request()
        await task
        assert now() < 8


class HangingLease(FakeLease):
    """The queue responds to none of its calls."""

    async def extend(self, seconds: float) -> None:
        await asyncio.Event().wait()

    async def ack(self) -> None:
        await asyncio.Event().wait()

    async def release(self, after_s: float = 0.0) -> None:
        await asyncio.Event().wait()


class HangingCleanUp(ScriptedHandler):
    """Its work takes long, and so does the clean-up of work that is cancelled."""

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        try:
            return await super().handle(message, fence)
        except asyncio.CancelledError:
            await asyncio.sleep(1000)
            raise


@pytest.mark.parametrize("requests", [1, 2])
@pytest.mark.parametrize("takes_s", [11, 1000])
@pytest.mark.parametrize("handler", [ScriptedHandler, HangingCleanUp])
@pytest.mark.parametrize("grace_s", [0, 3])
async def test_when_nothing_responds_the_worker_ends_within_the_grace_period_and_the_release_timeout(
    requests: int, takes_s: float, handler: type[ScriptedHandler], grace_s: float
) -> None:
    stage = Stage(lease_s=30)
    stage.handler = handler()
    stage.handler.takes_s = takes_s
    stage.source.bring(*[HangingLease(make_message(f"r{number}")) for number in range(3)])
    async with stage.running(slots=4, grace_s=grace_s) as task:  # one is free, so a poll is open
        await asyncio.sleep(1)
        stage.source.bring()
        await asyncio.sleep(13.5)  # with short work the acknowledgement is under way; a renewal is sent after 15 s
        for _ in range(requests):
            stage.drain.request()
        drained_at = now()
        running_s = 0 if requests == 2 else grace_s
        end_at = drained_at + running_s + RELEASE_TIMEOUT_S
        # The last poll brings a message, as late as it can.
        late = HangingLease(make_message("late"))
        asyncio.get_running_loop().call_at(end_at - LATE_RELEASE_S - 0.1, stage.source.bring, late)
        await task
        assert now() <= end_at + 0.001
    # No release follows an acknowledgement that may still be carried out.
    assert stage.settlements() == ["error" if takes_s == 11 else "released"] * 3


async def test_messages_are_released_and_reported_while_their_clean_up_hangs() -> None:
    stage = Stage()
    stage.handler = HangingCleanUp()
    stage.handler.takes_s = 1000
    [lease, late] = leases(2)
    stage.source.bring(lease)
    async with stage.running(slots=2, grace_s=3) as task:
        await asyncio.sleep(1)
        stage.drain.request()
        asyncio.get_running_loop().call_at(1 + 3 + RELEASE_TIMEOUT_S - LATE_RELEASE_S - 0.1, stage.source.bring, late)
        await task
    assert [lease.settled, late.settled] == [[("release", 0)]] * 2
    assert stage.settlements() == ["released"]


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


class Renewing(FakeLease):
    """A renewal takes half a second, and is refused."""

    async def extend(self, seconds: float) -> None:
        self.calls.append(("extend", seconds))
        await asyncio.sleep(0.5)
        raise LeaseLostError("the message does not exist, or the receipt is stale")


@pytest.mark.parametrize(
    ("takes_s", "settlement", "calls"),
    [(0, "completed", ["ack"]), (15.2, "lease_lost", ["extend"])],
)
async def test_no_renewal_is_sent_beside_an_acknowledgement(takes_s: float, settlement: str, calls: list[str]) -> None:
    # If it were refused, the reason would not be known: the message is deleted, or the receipt is stale.
    stage = Stage()
    answered = asyncio.Event()
    cleaned = asyncio.Event()

    async def clean_up() -> None:
        cleaned.set()

    lease = Renewing(make_message(), ack_may_return=answered)
    stage.handler.takes_s = takes_s
    stage.handler.outcome = Done(state="completed", after_ack=clean_up)
    stage.source.bring(lease)
    async with stage.running():
        asyncio.get_running_loop().call_later(16, answered.set)
        await asyncio.sleep(20)
    assert stage.settlements() == [settlement]
    assert cleaned.is_set() is (settlement == "completed")
    assert [what for what, _ in lease.calls] == calls


async def test_a_message_is_renewed_while_its_acknowledgement_fails() -> None:
    class Away(FakeLease):
        async def ack(self) -> None:
            await asyncio.sleep(4)
            if now() < 100:
                raise SourceUnavailableError("away")
            await super().ack()

    stage = Stage()
    stage.handler.takes_s = 1
    lease = Away(make_message())
    stage.source.bring(lease)
    async with stage.running():
        await asyncio.sleep(120)
    assert stage.settlements() == ["completed"]
    assert lease.calls.count(("extend", 30)) >= 5


async def test_a_message_whose_lease_is_over_is_not_released() -> None:
    class Unwinding(ScriptedHandler):
        async def handle(self, message: Message, fence: Fence) -> Outcome:
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(5)  # an upload is being aborted
            return DONE

    stage = Stage()
    stage.handler = Unwinding()
    lease = FakeLease(make_message(), failures=[LeaseLostError("expired")])
    stage.source.bring(lease)
    async with stage.running(grace_s=1) as task:
        await asyncio.sleep(15.5)
        stage.drain.request()
        await task
    assert lease.settled == []
    assert stage.settlements() == ["lease_lost"]


async def test_a_lease_counts_from_when_the_queue_was_asked() -> None:
    stage = Stage()
    stage.handler.takes_s = 40
    old, late, fresh = leases(3)
    async with stage.running():
        await asyncio.sleep(29.5)  # the response may have been unread for that long
        stage.source.bring(old)
        await asyncio.sleep(0.5)
        assert stage.settlements() == ["lease_lost"]
        assert stage.handler.most_running == 0
        await asyncio.sleep(20)
        stage.source.bring(late)
        await asyncio.sleep(4)
        assert late.calls == []
        await asyncio.sleep(1)
        assert late.calls == [("extend", 30)]
        await asyncio.sleep(60)
        assert late.settled == [("ack", 0)]
        stage.handler.takes_s = 1
        stage.source.bring(fresh)
        await asyncio.sleep(2)
    assert old.calls == []


async def test_a_message_that_came_late_is_not_renewed_for_short_work() -> None:
    stage = Stage()
    stage.handler.takes_s = 1
    [late] = leases(1)
    async with stage.running():
        await asyncio.sleep(20)
        stage.source.bring(late)
        await asyncio.sleep(60)
    assert late.calls == [("ack", 0)]


async def test_a_message_that_is_being_released_is_not_renewed() -> None:
    stage = Stage()
    stage.handler.outcome = Retry(after_s=60, reason="later")

    class AckWithoutResponse(FakeLease):
        async def release(self, after_s: float = 0.0) -> None:
            await super().release(after_s)
            raise SourceUnavailableError("the answer is lost")

    lease = AckWithoutResponse(make_message())
    stage.source.bring(lease)
    async with stage.running():
        await asyncio.sleep(100)
    assert {what for what, _ in lease.calls} == {"release"}


async def test_a_message_whose_lease_is_over_on_arrival_is_not_released() -> None:
    stage = Stage()
    [lease] = leases(1)
    async with stage.running():
        await asyncio.sleep(40)
        stage.readiness.set(is_open=False)
        stage.source.bring(lease)
        await asyncio.sleep(1)
    assert lease.calls == []


async def test_a_release_waits_for_a_renewal_that_is_under_way() -> None:
    class Slow(FakeLease):
        async def extend(self, seconds: float) -> None:
            await asyncio.sleep(0.5)
            await super().extend(seconds)

    stage = Stage()
    stage.handler.takes_s = 15.2
    stage.handler.outcome = Retry(after_s=60, reason="later")
    lease, held = Slow(make_message("a")), Slow(make_message("b"))
    stage.source.bring(lease)
    async with stage.running():
        await asyncio.sleep(20)
        assert lease.calls == [("extend", 30), ("release", 60)]
        stage.handler.takes_s = 100
        stage.source.bring(held)
        await asyncio.sleep(15.2)
        stage.drain.request()
        stage.drain.request()
    assert held.calls == [("extend", 30), ("release", 0)]
