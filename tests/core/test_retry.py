import asyncio

import pytest

from dequeuer.core.retry import UNTIL_AVAILABLE, Backoff, RetryPolicy, retry_until_available

pytestmark = pytest.mark.looptime


class Flaky:
    def __init__(self, failures: int, error: type[Exception] = OSError) -> None:
        self.left, self.error = failures, error
        self.times: list[float] = []

    async def __call__(self, value: int) -> int:
        self.times.append(asyncio.get_running_loop().time())
        if self.left:
            self.left -= 1
            raise self.error
        return value


async def test_calls_without_a_limit_until_it_succeeds_with_bounded_pauses() -> None:
    flaky = Flaky(500)
    assert await retry_until_available(OSError, flaky, 7) == 7
    waits = [after - before for before, after in zip(flaky.times, flaky.times[1:], strict=False)]
    assert len(waits) == 500
    assert max(waits) <= UNTIL_AVAILABLE.backoff.max_s + 0.001
    # Full jitter: neither all the same nor all near the limit.
    assert min(waits[50:]) < UNTIL_AVAILABLE.backoff.max_s / 4 < max(waits)


async def test_other_errors_pass_at_once() -> None:
    with pytest.raises(KeyError):
        await retry_until_available(OSError, Flaky(1, KeyError), 1)
    flaky = Flaky(2)

    async def other_second_time() -> None:
        if len(flaky.times) == 1:
            raise KeyError
        await flaky(1)

    with pytest.raises(KeyError):
        await retry_until_available(OSError, other_second_time)


async def test_cancellation_ends_it() -> None:
    task = asyncio.create_task(retry_until_available(OSError, Flaky(10**9), 1))
    await asyncio.sleep(100)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_number_of_attempts_is_bounded_and_the_last_error_is_raised() -> None:
    flaky = Flaky(10**9)
    with pytest.raises(OSError, match=r"^$"):
        await RetryPolicy(backoff=Backoff(initial_s=1.0, max_s=1.0), max_attempts=5).call(OSError, flaky, 1)
    assert len(flaky.times) == 5


async def test_one_attempt_is_no_retry() -> None:
    flaky = Flaky(1)
    with pytest.raises(OSError, match=r"^$"):
        await RetryPolicy(backoff=Backoff(initial_s=1.0, max_s=1.0), max_attempts=1).call(OSError, flaky, 1)
    assert len(flaky.times) == 1


async def test_no_attempt_begins_after_the_duration_in_the_time_of_the_loop() -> None:
    flaky = Flaky(10**9)
    began_at = asyncio.get_running_loop().time()
    steady = Backoff(initial_s=10.0, max_s=10.0, min_share=1.0)
    with pytest.raises(OSError, match=r"^$"):
        await RetryPolicy(backoff=steady, max_duration_s=35.0).call(OSError, flaky, 1)
    assert [round(at - began_at) for at in flaky.times] == [0, 10, 20, 30]


BACKOFF = Backoff(initial_s=0.2, max_s=5.0)


@pytest.mark.parametrize(("failures", "ceiling_s"), [(0, 0.2), (1, 0.4), (10, 5.0), (10**6, 5.0)])
def test_pauses_double_and_are_spread(failures: int, ceiling_s: float) -> None:
    pauses = [BACKOFF.pause_s(failures) for _ in range(500)]
    assert 0 <= min(pauses) < ceiling_s / 2 < max(pauses) <= ceiling_s


def test_a_part_of_the_pause_can_be_fixed() -> None:
    pauses = [Backoff(initial_s=1.0, max_s=8.0, min_share=0.5).pause_s(2) for _ in range(500)]
    assert 2.0 <= min(pauses) < 3.0 < max(pauses) <= 4.0
