import asyncio
from dataclasses import replace

import pytest

from dequeuer.core.drain import Drain
from dequeuer.core.errors import ContainerUnavailableError, SourceUnavailableError
from dequeuer.core.message import Done, Outcome, Requeue, Retry
from dequeuer.handlers.batch_api.completion import Completion, EndWhenEmpty
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sources.base import Depth
from tests.fakes import FakeSource, OpenFence, Recorder, make_message
from tests.handlers.stage import NOT_HTTP, UNREACHABLE, Reply, ScriptedTarget

pytestmark = pytest.mark.looptime

MESSAGE = make_message("job_complete", job_complete="true")


def depth(total: int) -> Depth:
    return Depth(visible=0, in_flight=total, delayed=0)


class Job:
    def __init__(self, *totals: int, replies: list[Reply] | None = None, max_receives: int | None = None) -> None:
        self.queue = FakeSource(depths=[depth(total) for total in totals])
        self.target = ScriptedTarget(replies or [Reply()])
        self.drain = Drain()
        self.max_receives = max_receives
        self.completion = Completion(
            job_id="job-1",
            queue=self.queue,
            target=self.target,
            delay_s=10,
            policy=ResponsePolicy(max_attempts=3, retry_statuses=frozenset({503})),
            drain=self.drain,
            observer=Recorder(),
        )

    async def handle(self, receive_count: int = 1) -> Outcome:
        message = replace(MESSAGE, receive_count=receive_count, max_receives=self.max_receives)
        return await self.completion.handle(message, OpenFence())


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("status", [200, 404])
async def test_the_last_message_in_two_counts_notifies_the_container(status: int) -> None:
    job = Job(1, 1, replies=[Reply(status=status)])
    assert await job.handle() == Done(state="job_completed")
    assert now() == 10
    [request] = job.target.requests
    assert (request.path, request.body) == ("/on-job-complete", b'{"message":"job_complete"}')
    assert ("X-Cortex-Job-ID", "job-1") in request.headers
    assert ("Content-Type", "application/json") in request.headers
    assert not job.completion.failed


@pytest.mark.parametrize("totals", [(2,), (1, 2), (1, 5)])
async def test_a_message_that_is_not_the_last_is_sent_again_after_a_pause(totals: tuple[int, ...]) -> None:
    job = Job(*totals)
    assert isinstance(await job.handle(), Requeue)
    assert job.target.requests == []
    assert now() >= 10


async def test_failed_counts_are_repeated() -> None:
    job = Job(1, 1)
    failing = [SourceUnavailableError("away")] * 3

    async def unsteady() -> Depth:
        if failing:
            raise failing.pop()
        return depth(1)

    job.queue.depth = unsteady  # type: ignore[method-assign]
    assert await job.handle() == Done(state="job_completed")


async def test_a_second_one_is_a_duplicate_while_the_first_is_held() -> None:
    job = Job(2, 2, 2)
    first = asyncio.create_task(job.handle())
    await asyncio.sleep(1)
    another = make_message("another", job_complete="true")
    assert await job.completion.handle(another, OpenFence()) == Done(state="duplicate")
    # The same message, delivered again, is not deleted: it is the only one.
    assert isinstance(await job.handle(), Retry)
    assert isinstance(await first, Requeue)


async def test_a_message_after_the_notification_is_a_duplicate() -> None:
    job = Job(1)
    assert await job.handle() == Done(state="job_completed")
    assert await job.handle() == Done(state="duplicate")
    assert len(job.target.requests) == 1


async def test_a_message_that_was_sent_again_is_handled_again() -> None:
    job = Job(2, 1, 1)
    assert isinstance(await job.handle(), Requeue)
    assert await job.handle() == Done(state="job_completed")


async def test_other_responses_are_tried_again_then_the_job_ends_as_failed() -> None:
    job = Job(1, replies=[Reply(status=500), Reply(status=503), Reply(status=302)])
    outcome = await job.handle()
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    assert "302" in outcome.reason
    assert len(job.target.requests) == 3
    assert job.completion.failed


async def test_while_the_container_restarts_the_message_is_released_until_max_attempts() -> None:
    job = Job(1, replies=[UNREACHABLE, Reply(body_error=ContainerUnavailableError("broke off")), UNREACHABLE])
    assert isinstance(await job.handle(), Retry)
    assert isinstance(await job.handle(), Retry)
    assert not job.completion.failed
    last = make_message("job_complete", 3, job_complete="true")
    outcome = await job.completion.handle(last, OpenFence())
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"


async def test_a_container_that_never_spoke_http_does_not_end_the_job() -> None:
    job = Job(1, replies=[NOT_HTTP])
    last = make_message("job_complete", 5000, job_complete="true")
    assert isinstance(await job.completion.handle(last, OpenFence()), Retry)
    assert not job.completion.failed


async def test_a_container_that_recovers_is_notified() -> None:
    job = Job(1, replies=[Reply(status=500), Reply(status=200)])
    assert await job.handle() == Done(state="job_completed")
    assert not job.completion.failed


@pytest.mark.parametrize("totals", [(1,), (2,)])
async def test_a_drain_releases_it_at_once(totals: tuple[int, ...]) -> None:
    job = Job(*totals)
    handling = asyncio.create_task(job.handle())
    await asyncio.sleep(2)
    job.drain.request()
    assert await handling == Retry(after_s=0, reason="the process is stopping")
    assert now() == 2
    assert job.target.requests == []


async def test_two_sidecars_with_one_each_do_not_wait_for_each_other_for_ever() -> None:
    # A queue with two different completion messages and nothing else, and two sidecars that always poll.
    waiting: asyncio.Queue[int] = asyncio.Queue()
    left = {1, 2}
    told = 0

    async def count() -> Depth:
        return depth(len(left))

    async def sidecar(job: Job) -> None:
        nonlocal told

        async def hold(number: int) -> None:
            nonlocal told
            message = make_message(f"completion-{number}", job_complete="true")
            outcome = await job.completion.handle(message, OpenFence())
            if isinstance(outcome, Requeue):
                waiting.put_nowait(number)
            else:
                left.discard(number)
                told += outcome == Done(state="job_completed")

        async with asyncio.TaskGroup() as group:
            while True:
                number = await waiting.get()
                group.create_task(hold(number))

    for number in sorted(left):
        waiting.put_nowait(number)
    jobs = [Job(2), Job(2)]
    for job in jobs:
        job.queue.depth = count  # type: ignore[method-assign]
    sidecars = [asyncio.create_task(sidecar(job)) for job in jobs]
    while left:
        await asyncio.sleep(1)
        assert now() < 10_000
    for task in sidecars:
        task.cancel()
    await asyncio.wait(sidecars)
    assert told == 1


async def test_the_queue_is_empty_after_two_counts_of_zero_in_a_row() -> None:
    queue = FakeSource(depths=[depth(0), depth(1), depth(0), depth(0)])
    end = EndWhenEmpty(queue)
    assert [await end.is_over() for _ in range(4)] == [False, False, False, True]


async def test_messages_in_between_restart_the_counts() -> None:
    end = EndWhenEmpty(FakeSource(depths=[depth(0)]))
    assert not await end.is_over()
    end.saw_messages()
    assert not await end.is_over()
    assert await end.is_over()


async def test_a_completion_that_is_given_up_fails_the_job_and_further_messages_are_duplicates() -> None:
    job = Job(1)
    assert job.completion.give_up(make_message("another"), "a bug") == Done(state="failed", reason="a bug")
    assert job.completion.failed
    assert await job.handle() == Done(state="duplicate")


async def test_a_completion_that_was_given_up_is_no_duplicate_when_its_lease_was_lost_before_its_end() -> None:
    job = Job(1, replies=[Reply(status=500)])
    for receive_count in (1, 2):
        outcome = await job.handle(receive_count)
        assert isinstance(outcome, Done)
        assert outcome.state == "failed"
    assert len(job.target.requests) == 3


@pytest.mark.parametrize("totals", [(1,), (2,)])
async def test_a_drain_at_the_last_two_receives_sends_it_again_so_that_it_is_not_dead_lettered(
    totals: tuple[int, ...],
) -> None:
    for receive_count, expected in ((1, Retry), (2, Requeue), (3, Requeue)):
        job = Job(*totals, max_receives=3)
        handling = asyncio.create_task(job.handle(receive_count))
        await asyncio.sleep(1)
        job.drain.request()
        assert isinstance(await handling, expected)
        assert job.target.requests == []


@pytest.mark.parametrize("receive_count", [2, 3])
async def test_a_container_that_ends_with_the_pod_at_the_last_two_receives_has_it_sent_again(
    receive_count: int,
) -> None:
    job = Job(1, replies=[Reply(error=UNREACHABLE.error, takes_s=5)], max_receives=3)
    handling = asyncio.create_task(job.handle(receive_count))
    await asyncio.sleep(12)  # the container has been called
    job.drain.request()
    assert isinstance(await handling, Requeue)


async def test_a_container_that_never_spoke_http_at_the_last_receive_has_it_sent_again() -> None:
    assert isinstance(await Job(1, replies=[NOT_HTTP], max_receives=2).handle(2), Requeue)


async def test_a_container_that_is_unreachable_at_the_last_receive_has_failed() -> None:
    job = Job(1, replies=[UNREACHABLE], max_receives=2)
    assert isinstance(await job.handle(1), Retry)
    outcome = await job.handle(2)
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    assert job.completion.failed
