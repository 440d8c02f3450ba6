"""The condition that the container speaks HTTP/1, in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from dequeuer.core.events import ContainerProtocolChanged
from dequeuer.http.protocols import HTTP1
from dequeuer.probes.http_check import CHECK_BACKOFF, HttpCheck
from tests.fakes import Recorder


@dataclass
class Container:
    """The protocols that the checks find, in turn; the last one is repeated."""

    speaks: list[str | None]
    takes_s: float = 0.0
    asked: list[float] = field(default_factory=list)

    async def identify(self) -> str | None:
        self.asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.takes_s)
        return self.speaks.pop(0) if len(self.speaks) > 1 else self.speaks[0]


@asynccontextmanager
async def running(container: Container) -> AsyncIterator[tuple[HttpCheck, Recorder]]:
    seen = Recorder()
    check = HttpCheck(container.identify, seen)
    task = asyncio.create_task(check.run())
    try:
        yield check, seen
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def detected(seen: Recorder) -> list[str]:
    return [event.looks_like for event in seen.of(ContainerProtocolChanged)]


@pytest.mark.looptime
async def test_an_invalid_response_closes_it_and_a_valid_one_opens_it_for_good() -> None:
    container = Container(["TLS", "TLS", "TLS", HTTP1])
    async with running(container) as (check, seen):
        assert await check.judge_invalid_response("TLS") == "TLS"
        assert (check.may_receive.is_open, check.looks_like) == (False, "TLS")
        await check.may_receive.wait_open()
        assert (check.is_proven, check.looks_like) == (True, "")
        assert len(container.asked) == 4
        # Backoff with jitter: 1, 2, 4 and 8 s, or down to half of that.
        assert 7.5 <= container.asked[-1] <= 15
        # From now on an invalid response fails its own request only.
        assert await check.judge_invalid_response("TLS") == ""
        assert check.may_receive.is_open
    assert detected(seen) == ["TLS", ""]


@pytest.mark.looptime
async def test_it_asks_again_with_backoff_up_to_a_limit() -> None:
    container = Container(["HTTP/2"])
    async with running(container) as (check, seen):
        await check.judge_invalid_response("HTTP/2")
        await asyncio.sleep(3600)
    gaps = [after - before for before, after in zip([0.0, *container.asked], container.asked, strict=False)]
    assert gaps[0] <= CHECK_BACKOFF.initial_s
    assert max(gaps) <= CHECK_BACKOFF.max_s
    assert min(gaps[-50:]) >= CHECK_BACKOFF.max_s / 2
    assert detected(seen) == ["HTTP/2"]


@pytest.mark.looptime
async def test_another_protocol_is_reported_again_and_a_container_that_is_gone_resets_the_backoff() -> None:
    container = Container(["TLS", None, None, None, "MySQL", HTTP1])
    async with running(container) as (check, seen):
        await check.judge_invalid_response("TLS")
        await check.may_receive.wait_open()
        gone = [after - before for before, after in zip(container.asked[1:4], container.asked[2:5], strict=True)]
        assert max(gone) <= CHECK_BACKOFF.initial_s
    assert detected(seen) == ["TLS", "MySQL", ""]


@pytest.mark.looptime
async def test_a_container_that_sends_nothing_is_left_to_the_next_message() -> None:
    async with running(Container([""])) as (check, seen):
        await check.judge_invalid_response("an unknown protocol")
        await check.may_receive.wait_open()
        assert not check.is_proven
        await check.judge_invalid_response("an unknown protocol")
        assert not check.may_receive.is_open
    assert detected(seen) == ["an unknown protocol", "", "an unknown protocol"]


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("speaks", "name", "is_open", "is_proven"),
    [("TLS", "TLS", False, False), (HTTP1, "", True, True), ("", "", True, False), (None, "", True, False)],
)
async def test_a_container_that_hangs_up_without_a_response_is_identified(
    speaks: str | None, name: str, is_open: bool, is_proven: bool
) -> None:
    async with running(Container([speaks])) as (check, _):
        assert await check.judge_invalid_response("") == name
        assert (check.may_receive.is_open, check.is_proven) == (is_open, is_proven)


@pytest.mark.looptime
async def test_checks_at_the_same_time_share_one_and_a_cancelled_one_disturbs_no_other() -> None:
    container = Container(["TLS"], takes_s=1)
    async with running(container) as (check, seen):
        judging = [asyncio.create_task(check.judge_invalid_response("")) for _ in range(100)]
        await asyncio.sleep(0.5)
        judging[0].cancel()
        assert set(await asyncio.gather(*judging[1:])) == {"TLS"}
        assert len(container.asked) == 1
    assert detected(seen) == ["TLS"]


@pytest.mark.looptime
async def test_a_valid_response_during_the_check_wins() -> None:
    async with running(Container(["TLS"], takes_s=1)) as (check, seen):
        judging = asyncio.create_task(check.judge_invalid_response(""))
        await asyncio.sleep(0.5)
        check.record_valid_response()
        assert await judging == ""
        assert check.may_receive.is_open
    assert detected(seen) == []
