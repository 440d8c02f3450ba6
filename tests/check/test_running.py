from __future__ import annotations

import asyncio
from collections import Counter
from typing import cast

import pytest

from dequeuer.check import running
from dequeuer.check.aws_access import CALL_TIMEOUT_S, AwsAccess, in_time
from dequeuer.check.bucket_facts import BucketRead
from dequeuer.check.finding import Finding, fault, ok
from dequeuer.check.loading import load_plan
from dequeuer.check.permission_result import Allowed, NotAsked, PermissionResult, Refused, result_of
from dequeuer.check.plan import BucketNeed, QueueNeed
from dequeuer.core.errors import (
    DequeuerError,
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


@pytest.mark.looptime
async def test_queues_that_are_not_reached_in_time_cost_no_finding_about_the_others(
    monkeypatch: pytest.MonkeyPatch, looptime: float
) -> None:
    async def keys(*_: object) -> tuple[list[Finding], bool]:
        return [], True

    async def caller(*_: object) -> tuple[list[Finding], str]:
        return [], ""

    async def slow(_access: object, queue: QueueNeed) -> tuple[list[Finding], DequeuerError]:
        await asyncio.sleep(8)
        return [Finding(id="queue.exists", subject=queue.name, verdict=fault("away", "look"))], SourceUnavailableError()

    async def no_bucket(_access: object, bucket: BucketNeed) -> tuple[list[Finding], BucketRead]:
        await asyncio.get_running_loop().create_future()
        raise AssertionError(bucket)

    async def permissions(*_: object) -> list[Finding]:
        return []

    for name, fake in {
        "check_keys": keys,
        "check_caller": caller,
        "check_queue": slow,
        "check_bucket": no_bucket,
        "check_permissions": permissions,
    }.items():
        monkeypatch.setattr(running, name, fake)
    queues = ",".join(f"api-{number}=https://sqs/000000000000/{number}" for number in range(100))
    environ = {"DEQUEUER_QUEUES": queues, "DEQUEUER_CLUSTER_UID": "uid", "DEQUEUER_BUCKET": "my-bucket"}
    plan = load_plan("gateway", [], environ)
    found = await running._check_with_keys(plan, cast("AwsAccess", None), environ)
    assert looptime == running.FACTS_TIMEOUT_S
    of_queues = Counter(one.verdict.state for one in found if one.id == "queue.exists")
    assert of_queues == {"fault": 32, "not_known": 68}
    assert [one.verdict.state for one in found if one.id == "bucket.exists"] == ["not_known"]


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
