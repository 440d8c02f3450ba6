from __future__ import annotations

import asyncio
import gc

import pytest

from dequeuer.dev.running import run_beside

pytestmark = pytest.mark.looptime


async def fail(seconds: float, error: Exception) -> None:
    await asyncio.sleep(seconds)
    raise error


async def last(name: str, ended: list[str]) -> None:
    """Run until it is cancelled, and write its name down then."""
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(name)


async def answer(seconds: float) -> int:
    await asyncio.sleep(seconds)
    return 42


async def test_what_runs_beside_work_is_cancelled_when_the_work_ends() -> None:
    ended: list[str] = []
    assert await run_beside(answer(3), last("one", ended), last("other", ended)) == 42
    assert sorted(ended) == ["one", "other"]


async def test_an_error_of_what_runs_beside_work_ends_the_work() -> None:
    ended: list[str] = []
    async with asyncio.timeout(60):
        with pytest.raises(LookupError, match="no such process"):
            await run_beside(last("work", ended), asyncio.sleep(1), fail(3, LookupError("no such process")))
    assert ended == ["work"]


async def test_an_error_of_the_work_is_its_own() -> None:
    with pytest.raises(LookupError, match="no such API"):
        await run_beside(fail(1, LookupError("no such API")), fail(3, ValueError()))


async def test_of_errors_at_the_same_moment_that_of_the_work_counts() -> None:
    unseen: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unseen.append(context["message"]))
    with pytest.raises(LookupError, match="no such API"):
        await run_beside(fail(3, LookupError("no such API")), fail(3, ValueError()), fail(3, OSError()))
    assert await run_beside(answer(3), fail(3, ValueError())) == 42
    gc.collect()
    assert unseen == []


async def test_work_goes_on_when_what_runs_beside_it_has_ended() -> None:
    assert await run_beside(answer(3), asyncio.sleep(1)) == 42


async def test_a_cancellation_ends_all() -> None:
    ended: list[str] = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await run_beside(last("work", ended), last("other", ended))
    assert sorted(ended) == ["other", "work"]
