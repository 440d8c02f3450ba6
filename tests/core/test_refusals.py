"""While an operation is refused no messages are received; receiving continues by itself when the refusal is over."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dequeuer.core.errors import StoreDeniedError
from dequeuer.core.events import SourceCalled, SourceOp, StoreCalled, StoreOp
from dequeuer.core.refusals import CHECK_BACKOFF, IDLE_BEFORE_CHECK_S, Refusals, RefusedOperations, access_result_of

pytestmark = pytest.mark.looptime


def stored(op: StoreOp = "put", *, refused: bool, key: str = "k", took_s: float = 0.0) -> StoreCalled:
    return StoreCalled(op=op, duration_s=took_s, error="denied" if refused else None, code="AccessDenied", key=key)


SENDS: tuple[SourceOp, ...] = ("send", "publish", "put_events")


def sourced(op: SourceOp, *, refused: bool, messages: int = 1) -> SourceCalled:
    return SourceCalled(op=op, messages=messages, duration_s=0.0, error="denied" if refused else None)


@asynccontextmanager
async def running(refusals: Refusals) -> AsyncIterator[None]:
    task = asyncio.create_task(refusals.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_a_refusal_closes_and_a_success_of_the_same_operation_opens() -> None:
    refusals = Refusals()
    seen = []
    for event in (
        stored("get", refused=False),
        stored("put", refused=True),
        stored("get", refused=False),
        stored("put", refused=False),
    ):
        refusals(event)
        seen.append((refusals.may_receive.is_open, refusals.is_clear))
    assert seen == [(True, True), (False, False), (False, False), (True, True)]


async def test_an_object_of_another_kind_that_can_be_written_ends_nothing() -> None:
    """A policy or a KMS key for results only: once, a written `in_progress` status ended the refusal by mistake."""
    refusals = Refusals()
    refusals(stored(refused=True, key="a/b/result.json"))
    for key in ("a/b/status/in_progress", "a/c/status/completed"):
        refusals(stored(refused=False, key=key))
        assert not refusals.may_receive.is_open
    refusals(stored(refused=False, key="a/c/result.json"))
    assert refusals.may_receive.is_open


async def test_results_of_a_job_that_are_refused_are_not_ended_by_its_counts_in_another_bucket() -> None:
    refusals = Refusals()
    refusals(stored(refused=True, key="out/67f0/results/00000001.jsonl"))
    refusals(stored(refused=False, key="uid/jobs/BatchAPI/0.42.1/api/67f0/workers/w.json"))
    assert not refusals.may_receive.is_open
    refusals(stored(refused=False, key="out/67f0/results/00000002.jsonl"))
    assert refusals.may_receive.is_open


async def test_outcomes_that_can_be_written_are_enough() -> None:
    refusals = Refusals()
    refusals(stored(refused=True, key="a/b/status/in_progress"))
    assert not refusals.may_receive.is_open
    refusals(stored(refused=False, key="a/c/result.json"))
    assert refusals.may_receive.is_open


async def test_payloads_that_are_refused_are_not_ended_by_headers_that_are_not() -> None:
    refusals = Refusals()
    refusals(stored("get", refused=True, key="a/b/payload"))
    refusals(stored("get", refused=False, key="a/b/headers.json"))
    assert not refusals.may_receive.is_open
    refusals(stored("get", refused=False, key="a/c/payload"))
    assert refusals.may_receive.is_open


async def test_each_refused_kind_of_object_is_checked() -> None:
    refusals = Refusals()
    asked: list[str] = []

    async def attempt(key: str) -> None:
        asked.append(key)
        refusals(stored(refused=False, key=key))

    refusals.set_harmless_calls({("s3", "put"): attempt})
    async with running(refusals):
        refusals(stored(refused=True, key="a/b/result.json"))
        refusals(stored(refused=True, key="a/b/status/failed"))
        await asyncio.wait_for(refusals.may_receive.wait_open(), 60)
    assert sorted(asked) == ["a/b/result.json", "a/b/status/failed"]


async def test_a_slow_success_that_began_before_the_refusal_ends_nothing() -> None:
    refusals, standing = Refusals(), RefusedOperations(asyncio.get_running_loop().time)
    await asyncio.sleep(10)
    for record in (refusals, standing.record):
        record(stored(refused=True))
        record(stored(refused=False, took_s=3.0))
    seen = [(refusals.may_receive.is_open, bool(standing))]
    await asyncio.sleep(3)
    for record in (refusals, standing.record):
        record(stored(refused=False, took_s=3.0))
    seen.append((refusals.may_receive.is_open, bool(standing)))
    assert seen == [(False, True), (True, False)]


async def test_for_log_and_metrics_an_operation_is_refused_while_any_kind_of_object_is() -> None:
    standing = RefusedOperations()
    assert not standing
    assert standing.record(stored(refused=True, key="a/result.json")) is not None
    assert standing.record(stored(refused=True, key="a/status/completed")) is not None
    assert standing.record(stored(refused=False, key="a/result.json")) is None
    assert standing
    over = standing.record(stored(refused=False, key="a/status/completed"))
    assert over is not None
    assert not over.refused
    assert not standing


async def test_a_refused_receive_is_reported_and_receives_continue() -> None:
    refusals = Refusals()
    refusals(sourced("receive", refused=True))
    assert (refusals.may_receive.is_open, refusals.is_clear) == (True, False)
    refusals(sourced("receive", refused=False, messages=0))
    assert refusals.is_clear


@pytest.mark.parametrize("event", [stored("delete", refused=True), *(sourced(op, refused=True) for op in SENDS)])
async def test_refused_operations_that_work_does_not_need_close_nothing(event: SourceCalled | StoreCalled) -> None:
    refusals = Refusals()
    refusals(event)
    assert refusals.may_receive.is_open
    assert refusals.is_clear


async def test_the_response_to_a_batch_shows_nothing_unless_an_entry_succeeded() -> None:
    refusals = Refusals()
    refusals(sourced("ack", refused=True))
    refusals(sourced("ack", refused=False, messages=0))
    assert not refusals.is_clear
    # An error about the receipt handle shows that the call is allowed.
    refusals(SourceCalled(op="ack", messages=0, duration_s=0.0, error="refused"))
    assert refusals.is_clear


def test_an_outage_shows_nothing_about_permissions() -> None:
    assert access_result_of(StoreCalled(op="put", duration_s=0.0, error="unavailable")) is None
    missing = access_result_of(StoreCalled(op="get", duration_s=0.0, error="missing"))
    assert missing is not None
    assert not missing.refused


async def test_without_running_work_the_refused_key_is_checked_at_growing_intervals() -> None:
    refusals = Refusals()
    asked: list[tuple[str, float]] = []
    loop = asyncio.get_running_loop()

    async def attempt(key: str) -> None:
        asked.append((key, loop.time()))
        refused = loop.time() < 600
        refusals(stored(refused=refused, key=key))
        if refused:
            raise StoreDeniedError("no")

    refusals.set_harmless_calls({("s3", "put"): attempt})
    async with running(refusals):
        refusals(stored(refused=True, key="a/result.json"))
        await asyncio.wait_for(refusals.may_receive.wait_open(), 700)
    assert {key for key, _ in asked} == {"a/result.json"}
    assert 10 <= len(asked) <= 30
    gaps = [after - before for (_, before), (_, after) in itertools.pairwise(asked)]
    assert max(gaps) <= CHECK_BACKOFF.max_s + 0.01
    assert min(gaps[-5:-1]) >= CHECK_BACKOFF.max_s / 2


async def test_running_work_makes_its_own_calls() -> None:
    refusals = Refusals()
    asked: list[str] = []

    async def attempt(key: str) -> None:
        asked.append(key)

    refusals.set_harmless_calls({("s3", "put"): attempt})
    async with running(refusals):
        for _ in range(100):
            refusals(stored(refused=True))
            await asyncio.sleep(IDLE_BEFORE_CHECK_S - 1)
        assert asked == []
        await asyncio.sleep(CHECK_BACKOFF.max_s + IDLE_BEFORE_CHECK_S)
        assert asked


async def test_a_harmless_call_that_shows_too_little_does_not_reset_the_backoff() -> None:
    refusals = Refusals()
    opened: list[float] = []
    loop = asyncio.get_running_loop()

    async def attempt(_key: str) -> None:
        opened.append(loop.time())
        refusals(stored(refused=False))
        loop.call_later(1, refusals, stored(refused=True))

    refusals.set_harmless_calls({("s3", "put"): attempt})
    async with running(refusals):
        refusals(stored(refused=True))
        await asyncio.sleep(3600)
    assert len(opened) <= 3600 / (CHECK_BACKOFF.max_s / 2) + 8


async def test_without_a_harmless_call_the_next_message_shows() -> None:
    refusals = Refusals()
    async with running(refusals):
        refusals(sourced("ack", refused=True))
        await asyncio.wait_for(refusals.may_receive.wait_open(), 4 * IDLE_BEFORE_CHECK_S)


def sourced_from(queue: str, op: SourceOp, *, refused: bool) -> SourceCalled:
    return SourceCalled(op=op, messages=1, duration_s=0.0, error="denied" if refused else None, queue=queue)


async def test_a_refusal_of_one_of_several_queues_closes_that_queue_alone() -> None:
    refusals = Refusals()
    high, low = refusals.may_receive_from("high"), refusals.may_receive_from("low")
    refusals(sourced_from("low", "ack", refused=True))
    assert (refusals.may_receive.is_open, high.is_open, low.is_open, refusals.is_clear) == (True, True, False, False)
    # What the other one allows does not end it.
    refusals(sourced_from("high", "ack", refused=False))
    assert (high.is_open, low.is_open) == (True, False)
    refusals(stored(refused=True))
    assert (refusals.may_receive.is_open, high.is_open, low.is_open) == (False, True, False)
    refusals(sourced_from("low", "ack", refused=False))
    assert (refusals.may_receive.is_open, low.is_open, refusals.is_clear) == (False, True, False)
    refusals(stored(refused=False))
    assert refusals.is_clear
    refusals(sourced_from("high", "receive", refused=True))
    assert (high.is_open, refusals.is_clear) == (True, False)


async def test_the_queue_that_refuses_gets_the_harmless_call() -> None:
    refusals, calls = Refusals(), []
    low = refusals.may_receive_from("low")

    async def harmless(queue: str) -> None:
        calls.append(queue)
        refusals(sourced_from(queue, "ack", refused=False))

    refusals.set_harmless_calls({("sqs", "ack"): harmless})
    async with running(refusals):
        refusals(sourced_from("low", "ack", refused=True))
        async with asyncio.timeout(CHECK_BACKOFF.max_s):
            await low.wait_open()
    assert calls == ["low"]


async def test_an_operation_is_refused_while_one_of_several_queues_refuses_it() -> None:
    refused = RefusedOperations()
    for queue, is_refused, verdict in (
        ("low", True, True),
        ("high", True, True),
        ("high", False, None),
        ("low", False, False),
    ):
        result = refused.record(sourced_from(queue, "ack", refused=is_refused))
        assert (None if result is None else result.refused) is verdict, queue
