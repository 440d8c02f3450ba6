import asyncio
from collections.abc import Sequence

import pytest

from dequeuer.core.errors import LeaseLostError, SourceUnavailableError
from dequeuer.sources.sqs.batcher import Batcher

pytestmark = pytest.mark.looptime


class Sent:
    def __init__(self) -> None:
        self.batches: list[tuple[float, list[int]]] = []
        self.verdicts: dict[int, Exception] = {}
        self.error: Exception | None = None
        self.until: list[float] = []
        self.began = asyncio.Event()

    async def __call__(self, entries: Sequence[int], until: float) -> Sequence[Exception | None]:
        self.until.append(until)
        self.batches.append((asyncio.get_running_loop().time(), list(entries)))
        self.began.set()
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return [self.verdicts.get(entry) for entry in entries]


def make(sent: Sent, expected: int = 100) -> Batcher[int]:
    return Batcher(sent, linger_s=0.02, expected=lambda: expected, name="test")


async def test_ten_go_at_once_and_the_rest_after_a_moment() -> None:
    sent = Sent()
    batcher = make(sent)
    async with asyncio.TaskGroup() as group:
        for entry in range(13):
            group.create_task(batcher.submit(entry, 100))
    (first_at, first), (rest_at, rest) = sent.batches
    assert (first_at, first) == (0, list(range(10)))
    assert rest_at == pytest.approx(0.02)
    assert rest == [10, 11, 12]


async def test_nothing_is_waited_for_when_all_that_can_come_are_here() -> None:
    sent = Sent()
    batcher = make(sent, expected=3)
    async with asyncio.TaskGroup() as group:
        for entry in range(3):
            group.create_task(batcher.submit(entry, 100))
    assert sent.batches == [(0, [0, 1, 2])]


async def test_callers_of_one_turn_join_even_when_none_is_expected() -> None:
    sent = Sent()
    batcher = make(sent, expected=0)
    async with asyncio.TaskGroup() as group:
        for entry in range(4):
            group.create_task(batcher.submit(entry, 100))
    assert sent.batches == [(0, [0, 1, 2, 3])]


async def test_each_caller_gets_the_verdict_on_its_own_entry() -> None:
    sent = Sent()
    sent.verdicts = {1: LeaseLostError("stale")}
    batcher = make(sent)
    results = await asyncio.gather(*(batcher.submit(entry, 100) for entry in range(3)), return_exceptions=True)
    assert results[0] is None
    assert isinstance(results[1], LeaseLostError)
    assert results[2] is None


async def test_a_request_that_fails_fails_every_caller_and_none_is_left_waiting() -> None:
    sent = Sent()
    sent.error = SourceUnavailableError("away")
    batcher = make(sent)
    results = await asyncio.gather(*(batcher.submit(entry, 100) for entry in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [SourceUnavailableError] * 3
    sent.error = None
    await batcher.submit(7, 100)
    assert sent.batches[-1][1] == [7]


async def test_a_caller_that_is_cancelled_takes_its_entry_back_before_it_is_sent() -> None:
    """After a cancelled acknowledgement its caller releases the message: the deletion must not be sent."""
    sent = Sent()
    batcher = make(sent)
    given_up, other = asyncio.create_task(batcher.submit(1, 100)), asyncio.create_task(batcher.submit(2, 100))
    await asyncio.sleep(0.01)
    given_up.cancel()
    await asyncio.wait({given_up, other})
    [(when, entries)] = sent.batches
    assert when == pytest.approx(0.02)
    assert entries == [2]


async def test_a_caller_that_is_cancelled_does_not_stop_a_request_under_way() -> None:
    sent = Sent()
    batcher = make(sent)
    task, other = asyncio.create_task(batcher.submit(1, 100)), asyncio.create_task(batcher.submit(2, 100))
    await sent.began.wait()
    task.cancel()
    await asyncio.wait({task, other})
    assert [entries for _, entries in sent.batches] == [[1, 2]]
    assert other.exception() is None


async def test_flush_sends_what_waits_and_returns_when_it_is_answered() -> None:
    sent = Sent()
    batcher = make(sent)
    task = asyncio.create_task(batcher.submit(1, 100))
    await asyncio.sleep(0)
    await batcher.flush()
    assert sent.batches == [(0, [1])]
    await task


async def test_a_request_whose_lease_is_over_when_it_is_written_is_not_sent() -> None:
    sent = Sent()
    batcher = make(sent)
    results = await asyncio.gather(
        batcher.submit(1, 0.01), batcher.submit(2, 0.5), batcher.submit(3, 9.0), return_exceptions=True
    )
    assert [type(result) for result in results] == [LeaseLostError, type(None), type(None)]
    assert [entries for _, entries in sent.batches] == [[2, 3]]
    # The earliest deadline ends the request.
    assert sent.until == [0.5]
    with pytest.raises(LeaseLostError):
        await batcher.submit(4, asyncio.get_running_loop().time())
    assert len(sent.batches) == 1
