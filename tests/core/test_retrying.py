import asyncio

import pytest

from dequeuer.core.retrying import FIRST_WAIT_S, LONGEST_WAIT_S, pause_s, persist

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


async def test_calls_until_it_works_without_an_end_and_with_bounded_waits() -> None:
    flaky = Flaky(500)
    assert await persist(OSError, flaky, 7) == 7
    waits = [after - before for before, after in zip(flaky.times, flaky.times[1:], strict=False)]
    assert len(waits) == 500
    assert max(waits) <= LONGEST_WAIT_S + 0.001
    # Full jitter: neither all the same nor all near the limit.
    assert min(waits[50:]) < LONGEST_WAIT_S / 4 < max(waits)


async def test_other_errors_pass_at_once() -> None:
    with pytest.raises(KeyError):
        await persist(OSError, Flaky(1, KeyError), 1)
    flaky = Flaky(2)

    async def other_second_time() -> None:
        if len(flaky.times) == 1:
            raise KeyError
        await flaky(1)

    with pytest.raises(KeyError):
        await persist(OSError, other_second_time)


async def test_cancellation_ends_it() -> None:
    task = asyncio.create_task(persist(OSError, Flaky(10**9), 1))
    await asyncio.sleep(100)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("failures", "longest_s"), [(0, FIRST_WAIT_S), (1, 2 * FIRST_WAIT_S), (10, LONGEST_WAIT_S), (10**6, LONGEST_WAIT_S)]
)
def test_pauses_double_and_are_spread(failures: int, longest_s: float) -> None:
    pauses = [pause_s(failures) for _ in range(500)]
    assert 0 <= min(pauses) < longest_s / 2 < max(pauses) <= longest_s
