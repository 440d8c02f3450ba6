from __future__ import annotations

import asyncio

import pytest

from dequeuer.check import running
from dequeuer.check.aws_access import CALL_TIMEOUT_S, in_time
from dequeuer.check.finding import Finding, ok
from dequeuer.check.permission_result import Allowed, NotAsked, PermissionResult, Refused, result_of
from dequeuer.core.errors import (
    LeaseLostError,
    SourceDeniedError,
    SourceGoneError,
    SourceUnavailableError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnavailableError,
)


async def never() -> list[Finding]:
    await asyncio.get_running_loop().create_future()
    return []


@pytest.mark.looptime
async def test_a_topic_that_hangs_is_not_known_within_a_minute(looptime: float) -> None:
    found = await running._bounded(never(), ("pod.memory", "pod.cpu"))
    assert looptime == running.TOPIC_TIMEOUT_S < 60
    assert [(one.id, one.verdict.state) for one in found] == [("pod.memory", "not_known"), ("pod.cpu", "not_known")]


async def test_what_a_topic_found_is_returned() -> None:
    expected = [Finding(id="pod.cpu", subject="", verdict=ok("no quota"))]

    async def topic() -> list[Finding]:
        return expected

    assert await running._bounded(topic(), ("pod.memory",)) == expected


@pytest.mark.looptime
async def test_a_call_that_hangs_is_given_up(looptime: float) -> None:
    with pytest.raises(TimeoutError):
        await in_time(never())
    assert looptime == CALL_TIMEOUT_S


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, Allowed),
        # They were about nothing that exists.
        (LeaseLostError("no such handle"), Allowed),
        (SourceGoneError("no such queue"), Allowed),
        (StoreMissingError("no such key"), Allowed),
        (SourceDeniedError("no"), Refused),
        (StoreDeniedError("no"), Refused),
        (SourceUnavailableError("away"), NotAsked),
        (StoreUnavailableError("away"), NotAsked),
    ],
)
async def test_what_an_answer_says_about_a_permission(
    error: Exception | None, expected: type[PermissionResult]
) -> None:
    async def call() -> None:
        if error is not None:
            raise error

    assert isinstance(await result_of(call()), expected)


@pytest.mark.looptime
async def test_without_an_answer_a_permission_is_not_known() -> None:
    assert await result_of(never()) == NotAsked(reason="no response in time")
