import asyncio
from contextlib import suppress

import pytest

from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.core.events import LeaseLost
from dequeuer.core.queue_limits import MAX_VISIBILITY_TIMEOUT_S
from dequeuer.worker.lease import LeaseRenewer, poll_wait_s
from tests.fakes import FakeLease, Recorder, make_message

pytestmark = pytest.mark.looptime


class Kept:
    """A renewer that runs for the length of a test."""

    def __init__(self, length_s: float = 30) -> None:
        self.seen = Recorder()
        self.renewer = LeaseRenewer(length_s, self.seen)

    async def __aenter__(self) -> LeaseRenewer:
        self.task = asyncio.create_task(self.renewer.run())
        return self.renewer

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_renewed_at_half_its_length_for_as_long_as_it_is_held() -> None:
    lease = FakeLease(make_message())
    async with Kept(30) as renewer:
        async with renewer.hold(lease, now()):
            await asyncio.sleep(100)
        assert lease.calls == [("extend", 30)] * 6
        await asyncio.sleep(100)
    assert lease.calls == [("extend", 30)] * 6
    assert len(renewer) == 0


async def test_short_work_is_never_renewed() -> None:
    lease = FakeLease(make_message())
    async with Kept(30) as renewer:
        async with renewer.hold(lease, now()):
            await asyncio.sleep(14)
        await asyncio.sleep(60)
    assert lease.calls == []


async def test_leases_that_come_due_together_are_renewed_together() -> None:
    asked: list[float] = []

    class Timed(FakeLease):
        async def extend(self, seconds: float) -> None:
            asked.append(now())

    async with Kept(30) as renewer, asyncio.TaskGroup() as group:

        async def work() -> None:
            async with renewer.hold(Timed(make_message()), now()):
                await asyncio.sleep(20)

        for _ in range(5):
            group.create_task(work())
            await asyncio.sleep(0.5)
    assert len(asked) == 5
    assert len(set(asked)) == 1


async def test_refused_renewal_cancels_the_work() -> None:
    lease = FakeLease(make_message(), failures=[LeaseLostError("the receipt has expired")])
    kept = Kept(30)
    reached = False
    async with kept as renewer:
        with pytest.raises(LeaseLostError, match="the receipt has expired"):
            async with renewer.hold(lease, now()):
                await asyncio.sleep(1000)
                reached = True
    assert not reached
    assert now() == 15
    assert [event.message_id for event in kept.seen.of(LeaseLost)] == [lease.message.id]


@pytest.mark.parametrize("error", [SourceUnavailableError("throttled"), SourceDeniedError("the keys are rotated")])
async def test_a_renewal_is_repeated_while_the_queue_is_unavailable_or_denies_it(error: Exception) -> None:
    lease = FakeLease(make_message(), failures=[error] * 5)
    async with Kept(30) as renewer, renewer.hold(lease, now()):
        await asyncio.sleep(29)
    assert lease.calls == [("extend", 30)]


@pytest.mark.parametrize("error", [SourceGoneError("deleted"), KeyError("a bug")])
async def test_a_renewal_with_an_error_that_is_not_repeated_fences(error: Exception) -> None:
    lease = FakeLease(make_message(), failures=[error])
    async with Kept(30) as renewer:
        with pytest.raises(LeaseLostError, match=type(error).__name__):
            async with renewer.hold(lease, now()):
                await asyncio.sleep(1000)
    assert now() == 15


async def test_a_lease_that_is_not_renewed_in_time_is_fenced_before_the_queue_delivers_the_message_again() -> None:
    lease = FakeLease(make_message(), failures=[SourceUnavailableError("away")] * 10_000)
    async with Kept(30) as renewer:
        with pytest.raises(LeaseLostError, match="not renewed in time"):
            async with renewer.hold(lease, now()):
                await asyncio.sleep(1000)
    assert now() == 29


async def test_a_renewal_without_a_response_fences() -> None:
    class Silent(FakeLease):
        async def extend(self, seconds: float) -> None:
            await asyncio.Event().wait()

    async with Kept(10) as renewer:
        with pytest.raises(LeaseLostError):
            async with renewer.hold(Silent(make_message()), now()):
                await asyncio.sleep(1000)
    assert now() == 9


async def test_a_renewed_lease_counts_from_the_request_not_from_the_response() -> None:
    class Slow(FakeLease):
        async def extend(self, seconds: float) -> None:
            self.calls.append(("extend", now()))
            await asyncio.sleep(9)

    lease = Slow(make_message())
    async with Kept(30) as renewer, renewer.hold(lease, now()) as hold:
        await asyncio.sleep(25)
        assert hold.stop_at == pytest.approx(15 + 30 - renewer.margin_s)
    assert [at for _, at in lease.calls] == [15, 24]


async def test_a_message_is_renewed_for_twelve_hours_at_most() -> None:
    lease = FakeLease(make_message())
    async with Kept(30) as renewer:
        with pytest.raises(LeaseLostError):
            async with renewer.hold(lease, now()):
                await asyncio.sleep(2 * MAX_VISIBILITY_TIMEOUT_S)
    assert MAX_VISIBILITY_TIMEOUT_S - 20 < now() < MAX_VISIBILITY_TIMEOUT_S
    assert all(seconds <= 30 for _, seconds in lease.calls)


async def test_check_fences_when_no_timer_has_run() -> None:
    # As after a SIGSTOP: the work is the first to run, long after the lease ended.
    renewer = LeaseRenewer(30, Recorder())  # never runs
    with pytest.raises(LeaseLostError):
        async with renewer.hold(FakeLease(make_message()), now()) as hold:
            hold.check()
            await asyncio.sleep(29.5)
            hold.check()
    # The task is not left with a cancellation of ours.
    await asyncio.sleep(1)


async def test_a_settlement_does_not_begin_after_the_end_of_the_lease_when_no_timer_has_run() -> None:
    kept = Kept(30)
    held = kept.renewer.hold(FakeLease(make_message()), now() - 30)
    with pytest.raises(LeaseLostError):
        await held.stop_renewing()
    assert not held.is_settling
    assert len(kept.seen.of(LeaseLost)) == 1


async def test_a_cancellation_from_outside_is_not_swallowed_when_the_lease_is_lost_too() -> None:
    entered = asyncio.Event()
    lease = FakeLease(make_message(), failures=[LeaseLostError("gone")])

    async def work(renewer: LeaseRenewer) -> None:
        async with renewer.hold(lease, now()):
            entered.set()
            await asyncio.Event().wait()

    async with Kept(30) as renewer:
        task = asyncio.create_task(work(renewer))
        await entered.wait()
        await asyncio.sleep(14.9)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_error_of_the_work_is_raised_unchanged() -> None:
    async with Kept(30) as renewer:
        with pytest.raises(ValueError, match="mine"):
            async with renewer.hold(FakeLease(make_message()), now()):
                raise ValueError("mine")
        assert len(renewer) == 0


async def test_slow_renewals_keep_the_lease_when_the_queue_accepts_them() -> None:
    class Slow(FakeLease):
        async def extend(self, seconds: float) -> None:
            await asyncio.sleep(8)

    async with Kept(30) as renewer, renewer.hold(Slow(make_message()), now()) as hold:
        await asyncio.sleep(300)
        hold.check()


async def test_a_renewal_whose_request_is_cancelled_fences() -> None:
    class CutOff(FakeLease):
        async def extend(self, seconds: float) -> None:
            raise asyncio.CancelledError

    async with Kept(30) as renewer:
        with pytest.raises(LeaseLostError, match="request was cancelled"):
            async with renewer.hold(CutOff(make_message()), now()):
                await asyncio.sleep(1000)


async def test_a_release_hides_a_message_for_no_longer_than_the_rest_of_the_twelve_hours() -> None:
    renewer = LeaseRenewer(30, Recorder())
    hold = renewer.hold(FakeLease(make_message()), now())
    assert hold.max_release_s() == MAX_VISIBILITY_TIMEOUT_S - renewer.margin_s
    await asyncio.sleep(MAX_VISIBILITY_TIMEOUT_S - 100)
    assert hold.max_release_s() == 99
    await asyncio.sleep(1000)
    assert hold.max_release_s() == 0


async def test_a_lease_that_is_over_after_a_stall_is_not_renewed() -> None:
    lease = FakeLease(make_message())
    renewer = LeaseRenewer(30, Recorder())
    hold = renewer.hold(lease, now())
    with pytest.raises(LeaseLostError):
        async with hold:
            await asyncio.sleep(40)  # the renewer is started only after this
            task = asyncio.create_task(renewer.run())
            await asyncio.sleep(10)
    assert lease.calls == []
    task.cancel()
    await asyncio.wait({task})


def test_a_long_poll_leaves_a_third_of_the_lease() -> None:
    assert poll_wait_s(20, 30) == 20
    assert poll_wait_s(20, 120) == 20
    assert poll_wait_s(20, 10) == 6
    assert poll_wait_s(20, 2) == 1


async def test_check_raises_when_the_lease_is_over_even_before_a_timer_has_run() -> None:
    seen = Recorder()
    hold = LeaseRenewer(30, seen).hold(FakeLease(make_message()), now())
    hold.check()
    await asyncio.sleep(29)
    for _ in range(2):
        with pytest.raises(LeaseLostError, match="in time"):
            hold.check()
    assert len(seen.of(LeaseLost)) == 1


async def test_at_the_end_of_the_twelve_hours_the_lease_is_fenced_in_time() -> None:
    asked: list[tuple[float, float]] = []

    class Timed(FakeLease):
        async def extend(self, seconds: float) -> None:
            # The queue takes whole seconds.
            asked.append((now(), int(seconds)))

    async with Kept(7) as renewer:
        hold = renewer.hold(Timed(make_message()), now())
        with pytest.raises(LeaseLostError):
            async with hold:
                await asyncio.sleep(2 * MAX_VISIBILITY_TIMEOUT_S)
        at, seconds = asked[-1]
        assert now() <= at + seconds


@pytest.mark.parametrize("takes_s", [0, 2, 5, 7])
@pytest.mark.parametrize("left_s", range(60, 75))
async def test_after_a_slow_last_renewal_the_lease_is_fenced_before_it_ends(takes_s: int, left_s: int) -> None:
    """Near the 12 hours a renewal is for less than the whole length: half a length later it may be over."""
    granted: list[tuple[float, float]] = []

    class Slow(FakeLease):
        async def extend(self, seconds: float) -> None:
            granted.append((now(), int(seconds)))
            await asyncio.sleep(takes_s)

    async with Kept(30) as renewer:
        held = renewer.hold(Slow(make_message()), now() + left_s - MAX_VISIBILITY_TIMEOUT_S)
        held.stop_at = renewer.stop_at(now())
        with pytest.raises(LeaseLostError):
            async with held:
                await asyncio.sleep(100)
    at, seconds = granted[-1]
    assert 40 < now() <= at + seconds - renewer.margin_s + 0.001
