from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from dequeuer.core.errors import DequeuerError
from dequeuer.gateway import job_events
from dequeuer.gateway.job_events import INTERVAL_S, JobEvents, TooManyFollowersError
from dequeuer.gateway.watching import HEARTBEAT_S
from dequeuer.jobs.errors import JobsUnavailableError, UnknownJobError
from dequeuer.jobs.status import JobStatus
from tests.jobs.stage import job_keys, job_spec

RUNNING = JobStatus(spec=job_spec(), state="running")
DONE = replace(RUNNING, state="succeeded")
KEYS = job_keys()
GONE = UnknownJobError("BatchAPI", "sum", "x")
AWAY = JobsUnavailableError("away")


class Looks:
    """Gives these statuses, one a look; the last one again and again."""

    def __init__(self, *outcomes: JobStatus | DequeuerError) -> None:
        self._outcomes = list(outcomes)
        self.count = 0

    async def __call__(self) -> JobStatus:
        self.count += 1
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, DequeuerError):
            raise outcome
        return outcome


async def follow(events: JobEvents, looks: Looks) -> list[JobStatus | None]:
    return [status async for status in events.follow(KEYS, looks)]


@pytest.fixture
def events() -> JobEvents:
    return JobEvents(lambda: False)


@pytest.mark.looptime
async def test_changes_are_told_once_until_the_job_has_ended(events: JobEvents, looptime: float) -> None:
    later = replace(RUNNING, batches_in_queue=1)
    looks = Looks(RUNNING, RUNNING, later, later, DONE)
    assert await follow(events, looks) == [RUNNING, later, DONE]
    assert looptime == 4 * INTERVAL_S
    assert await follow(events, Looks(DONE)) == [DONE]


@pytest.mark.looptime
async def test_one_task_looks_for_all_clients(events: JobEvents) -> None:
    looks = Looks(RUNNING, RUNNING, DONE)
    found = await asyncio.gather(*(follow(events, looks) for _ in range(100)))
    assert found == [[RUNNING, DONE]] * 100
    assert looks.count == 3


@pytest.mark.looptime
async def test_a_client_that_comes_later_gets_the_status_at_once(events: JobEvents, looptime: float) -> None:
    looks = Looks(*[RUNNING] * 5, DONE)
    first = asyncio.create_task(follow(events, looks))
    await asyncio.sleep(3 * INTERVAL_S + 0.5)
    async with aclosing(events.follow(KEYS, looks)) as statuses:
        assert await anext(statuses) == RUNNING
        assert looptime == 3 * INTERVAL_S + 0.5
    assert await first == [RUNNING, DONE]


@pytest.mark.looptime
async def test_a_quiet_job_has_heartbeats(events: JobEvents, looptime: float) -> None:
    async with aclosing(events.follow(KEYS, Looks(RUNNING))) as statuses:
        assert [await anext(statuses) for _ in range(3)] == [RUNNING, None, None]
    assert looptime == 2 * HEARTBEAT_S


@pytest.mark.looptime
async def test_nobody_looks_when_no_client_is_left(events: JobEvents) -> None:
    looks = Looks(RUNNING)
    async with aclosing(events.follow(KEYS, looks)) as statuses:
        await anext(statuses)
    count = looks.count
    await asyncio.sleep(10 * INTERVAL_S)
    assert looks.count == count
    assert await follow(events, Looks(DONE)) == [DONE]


@pytest.mark.looptime
@pytest.mark.parametrize("error", [GONE, AWAY])
async def test_an_error_of_the_first_look_is_raised(events: JobEvents, error: DequeuerError) -> None:
    with pytest.raises(type(error)):
        await follow(events, Looks(error))
    assert await follow(events, Looks(DONE)) == [DONE]


@pytest.mark.looptime
async def test_later_a_store_that_is_away_is_bridged_and_a_job_that_is_gone_ends_the_stream(events: JobEvents) -> None:
    assert await follow(events, Looks(RUNNING, AWAY, AWAY, DONE)) == [RUNNING, DONE]
    assert await follow(events, Looks(RUNNING, GONE)) == [RUNNING]


@pytest.mark.looptime
async def test_a_drain_ends_the_streams() -> None:
    over = False
    events = JobEvents(lambda: over)
    following = asyncio.create_task(follow(events, Looks(RUNNING)))
    await asyncio.sleep(INTERVAL_S * 1.5)
    over = True
    async with asyncio.timeout(INTERVAL_S):
        assert await following == [RUNNING]


@pytest.mark.looptime
async def test_the_number_of_streams_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_events, "MAX_FOLLOWERS", 1)
    events = JobEvents(lambda: False)
    async with aclosing(events.follow(KEYS, Looks(RUNNING))) as statuses:
        await anext(statuses)
        with pytest.raises(TooManyFollowersError):
            await follow(events, Looks(DONE))
    assert await follow(events, Looks(DONE)) == [DONE]
