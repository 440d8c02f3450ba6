"""A process that is stopped (SIGSTOP) between two steps of settling a message."""

import asyncio

import pytest

from dequeuer.core.message import Retry
from tests.fakes import FakeLease, make_message
from tests.simulation import clock
from tests.worker.stage import Stage


class Hanging(FakeLease):
    """Its renewals never get a response."""

    async def extend(self, seconds: float) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("stopped_s", [0, 60])
@pytest.mark.parametrize("is_drain", [True, False])
def test_a_release_is_not_sent_when_the_process_was_stopped_while_it_waited_for_the_last_renewal(
    stopped_s: float, is_drain: bool
) -> None:
    async def main() -> None:
        stage = Stage(lease_s=10)
        stage.handler.takes_s = 100 if is_drain else 6
        stage.handler.outcome = Retry(after_s=7, reason="later")
        lease = Hanging(make_message())
        stage.source.bring(lease)
        async with stage.running() as task:
            await asyncio.sleep(6)  # a renewal has been under way for a second
            if is_drain:
                stage.drain.request()
                stage.drain.request()
            await asyncio.sleep(0.1)
            clock.running().jump(stopped_s)
            await asyncio.wait({task}, timeout=5)
        if stopped_s:
            assert lease.settled == []
            assert stage.settlements() == ["lease_lost"]
        else:
            assert lease.settled == [("release", 0 if is_drain else 7)]

    clock.run(0, main)


class Slow(FakeLease):
    """The queue responds to its release after half a second."""

    async def release(self, after_s: float = 0.0) -> None:
        await asyncio.sleep(0.5)
        await super().release(after_s)


@pytest.mark.parametrize("stopped_s", [0, 20])
def test_a_release_is_waited_for_when_the_process_was_stopped_until_after_its_end(stopped_s: float) -> None:
    async def main() -> None:
        stage = Stage(lease_s=300)
        stage.handler.takes_s = 100
        lease = Slow(make_message())
        stage.source.bring(lease)
        async with stage.running(grace_s=10) as task:
            await asyncio.sleep(1)
            stage.drain.request()
            await asyncio.sleep(5)
            clock.running().jump(stopped_s)
            await task
            assert lease.settled == [("release", 0)]

    clock.run(0, main)
