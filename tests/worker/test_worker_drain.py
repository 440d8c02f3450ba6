import asyncio
from collections.abc import Sequence

import pytest

from dequeuer.core.errors import LeaseLostError, SourceUnavailableError
from dequeuer.core.message import Fence, Message, Outcome, Requeue, Retry
from dequeuer.sources.base import Lease
from dequeuer.worker.worker import LATE_RELEASE_S, RELEASE_TIMEOUT_S
from tests.fakes import FakeLease, FakeSource, make_message
from tests.worker.stage import DONE, ScriptedHandler, Stage, leases, now

pytestmark = pytest.mark.looptime


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

    async def receive(self, limit: int, *, wait_s: int | None = None) -> Sequence[Lease]:
        self.open_polls += 1
        found = await super().receive(limit, wait_s=wait_s)
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


async def test_a_message_that_could_not_be_sent_again_until_the_end_is_released() -> None:
    class NoCopies(FakeSource):
        async def copy(self, lease: Lease) -> None:
            raise SourceUnavailableError("away")

    stage = Stage()
    stage.source = NoCopies()
    stage.handler.outcome = Requeue(reason="not yet")
    [lease] = leases(1)
    stage.source.bring(lease)
    async with stage.running(grace_s=5) as task:
        await asyncio.sleep(1)
        stage.drain.request()
        await task
    assert lease.settled == [("release", 0)]
    assert stage.settlements() == ["released"]


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
