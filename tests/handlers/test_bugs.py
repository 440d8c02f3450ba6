"""Bugs are bounded by the number of attempts."""

from __future__ import annotations

import json
import logging

import pytest

from dequeuer.core.drain import Drain
from dequeuer.core.errors import LeaseLostError, SourceGoneError
from dequeuer.core.events import BatchEnded
from dequeuer.core.message import Done, Fence, Message, Outcome, Reject, Retry
from dequeuer.formats.envelope import Envelope, encode_envelope
from dequeuer.handlers.async_api.final_failure import FailRequest
from dequeuer.handlers.batch_api.completion import Completion
from dequeuer.handlers.batch_api.final_failure import FailBatch
from dequeuer.handlers.bugs import BugBoundary
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sinks.base import Check, unchecked
from tests.fakes import FakeSource, MemoryStore, OpenFence, Recorder, SwitchFence, make_message
from tests.handlers.stage import ScriptedTarget

PREFIX = "uid/workloads/api/r1/"


class Buggy:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error or KeyError("a bug of the test")

    def needs_slot(self, message: Message) -> bool:
        return True

    def ref(self, message: Message) -> str:
        return message.body

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        raise self.error


def bounded(store: MemoryStore, error: Exception | None = None) -> BugBoundary:
    return BugBoundary(Buggy(error), FailRequest(cluster_uid="uid", api_name="api", store=store), 5)


async def handle(store: MemoryStore, receive_count: int = 5, body: str = "r1") -> Outcome:
    return await bounded(store).handle(make_message(body, receive_count), OpenFence())


async def test_a_bug_costs_an_attempt_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    with caplog.at_level(logging.ERROR):
        outcome = await handle(store, receive_count=4)
    assert isinstance(outcome, Retry)
    assert outcome.reason == "a bug: KeyError"
    assert not store.journal
    assert "a bug" in caplog.text


async def test_the_last_attempt_fails_the_request() -> None:
    store = MemoryStore()
    outcome = await handle(store)
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    assert json.loads(store.objects[PREFIX + "status/failed"][0]) == {
        "error": "a bug: KeyError",
        "code": "bug",
        "status_code": None,
        "attempts": 5,
    }


@pytest.mark.parametrize("name", ["status/completed", "status/failed"])
async def test_an_existing_final_status_is_kept(name: str) -> None:
    store = MemoryStore()
    store.seed([(PREFIX + name, b"")])
    outcome = await handle(store)
    assert isinstance(outcome, Done)
    assert outcome.state == "already_finished"
    assert not store.journal


async def test_an_existing_result_completes_the_request() -> None:
    store = MemoryStore()
    store.seed([(PREFIX + "result.json", b"1")])
    outcome = await handle(store)
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"
    assert store.journal == [("put", PREFIX + "status/completed")]


async def test_a_result_that_is_written_at_the_same_time_is_kept() -> None:
    class Crossing(MemoryStore):
        async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
            await super().put(key, body, content_type, check=check)
            self.seed([(PREFIX + "result.json", b"1")])

    store = Crossing()
    outcome = await handle(store)
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"
    assert PREFIX + "status/failed" not in store.objects


@pytest.mark.parametrize("op", ["list", "put"])
async def test_while_the_store_refuses_the_message_stays(op: str) -> None:
    store = MemoryStore()
    store.refuse(op)
    assert isinstance(await handle(store, receive_count=99), Retry)


async def test_the_payload_of_an_envelope_is_kept() -> None:
    store = MemoryStore()
    envelope = Envelope(request_id="r1", headers=b"{}", content_type="image/png", payload=b"pixels")
    await handle(store, body=encode_envelope(envelope))
    assert store.objects[PREFIX + "payload"] == (b"pixels", "image/png")


INPUT = [(PREFIX + "payload", b"1"), (PREFIX + "headers.json", b"{}")]


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (None, {"payload", "status/failed"}),
        ("status/failed", {"payload", "status/failed"}),
        ("status/completed", {"status/completed"}),
        ("result.json", {"result.json", "status/completed"}),
    ],
)
async def test_after_the_acknowledgement_the_input_goes_as_after_any_other_end(
    found: str | None, left: set[str]
) -> None:
    store = MemoryStore()
    store.seed([*INPUT, *([(PREFIX + found, b"")] if found else [])])
    outcome = await handle(store)
    assert isinstance(outcome, Done)
    assert PREFIX + "headers.json" in store.objects
    store.fail()  # it is tried again
    await after_ack(outcome)
    assert {key.removeprefix(PREFIX) for key in store.objects} == left


async def test_the_payload_of_an_envelope_goes_when_the_request_has_a_result_after_all() -> None:
    class Crossing(MemoryStore):
        async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
            await super().put(key, body, content_type, check=check)
            if key.endswith("failed"):
                self.seed([(PREFIX + "result.json", b"1")])

    store = Crossing()
    envelope = Envelope(request_id="r1", headers=b"{}", content_type="image/png", payload=b"pixels")
    outcome = await handle(store, body=encode_envelope(envelope))
    await after_ack(outcome)
    assert {key.removeprefix(PREFIX) for key in store.objects} == {"result.json", "status/completed"}


async def after_ack(outcome: Outcome) -> None:
    """Do what the worker does after the acknowledgement."""
    assert isinstance(outcome, Done)
    assert outcome.after_ack is not None
    await outcome.after_ack()


async def test_what_is_no_request_is_rejected() -> None:
    outcome = await handle(MemoryStore(), body="../etc")
    assert isinstance(outcome, Reject)
    assert outcome.poison


async def test_nothing_is_written_once_the_lease_is_lost() -> None:
    store, fence = MemoryStore(), SwitchFence()
    fence.lost = True
    with pytest.raises(LeaseLostError):
        await bounded(store).handle(make_message("r1", 5), fence)
    assert not store.journal


async def test_a_lost_lease_is_no_bug() -> None:
    with pytest.raises(LeaseLostError):
        await bounded(MemoryStore(), LeaseLostError("lost")).handle(make_message("r1", 5), OpenFence())


async def test_a_deleted_queue_is_no_bug(caplog: pytest.LogCaptureFixture) -> None:
    """The queue of a job that was stopped is deleted, perhaps while its messages are counted."""
    store = MemoryStore()
    with pytest.raises(SourceGoneError):
        await bounded(store, SourceGoneError("deleted")).handle(make_message("r1", 5), OpenFence())
    assert not store.journal
    assert not caplog.text


def completion(seen: Recorder) -> Completion:
    return Completion(
        job_id="job-1",
        queue=FakeSource(),
        target=ScriptedTarget(),
        delay_s=10,
        policy=ResponsePolicy(max_attempts=5, retry_statuses=frozenset()),
        drain=Drain(),
        observer=seen,
    )


async def test_a_batch_has_failed_an_attempt() -> None:
    seen = Recorder()
    handler = BugBoundary(Buggy(), FailBatch(completion=completion(seen), observer=seen), 5)
    assert isinstance(await handler.handle(make_message("[1]", 1), OpenFence()), Retry)
    outcome = await handler.handle(make_message("[1]", 5), OpenFence())
    assert isinstance(outcome, Reject)
    assert not outcome.poison
    assert seen.of(BatchEnded) == [BatchEnded(succeeded=False, duration_s=0.0)]


async def test_a_completion_message_is_no_batch_and_the_job_must_not_wait_for_it() -> None:
    seen = Recorder()
    ended = completion(seen)
    handler = BugBoundary(Buggy(), FailBatch(completion=ended, observer=seen), 5)
    outcome = await handler.handle(make_message("{}", 5, job_complete="true"), OpenFence())
    assert outcome == Done(state="failed", reason="a bug: KeyError")
    assert ended.failed
    assert not seen.events
