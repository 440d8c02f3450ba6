import asyncio

import pytest

from dequeuer.core.errors import LeaseLostError, SourceUnavailableError
from dequeuer.core.message import Done, Fence, Message, Outcome, Retry
from tests.fakes import FakeLease, make_message
from tests.worker.stage import DONE, ScriptedHandler, Stage, leases, now

pytestmark = pytest.mark.looptime


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
