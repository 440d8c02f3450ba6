"""The end of a request is announced after its outcome is durable, and before its message is acknowledged."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from dequeuer.core.drain import Drain
from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceUnavailableError
from dequeuer.core.message import Done, Fence, Message, Outcome, Requeue, Retry
from dequeuer.formats.failure import MAX_FAILURE_BYTES, RequestFailure, encode_failure
from dequeuer.formats.webhook_event import WebhookEvent, decode_event
from dequeuer.handlers.async_api.announcing import DECIDED_AFTER_S, Announcing
from dequeuer.handlers.async_api.handler import AsyncHandler
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.async_api.unannounced import UnannouncedRequests
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sinks.base import Payload
from tests.fakes import MemoryStore, OpenFence, Recorder, SwitchFence, make_message
from tests.handlers.stage import Reply, ScriptedTarget
from tests.opened import opened_by

pytestmark = pytest.mark.looptime

PREFIX = "uid/workloads/api/r1/"
URL = "https://example.com/hook"


@dataclass
class Outbox:
    """Keeps what is sent; each call first raises the next of `failures`."""

    store: MemoryStore
    failures: list[Exception] = field(default_factory=list)
    sent: list[WebhookEvent] = field(default_factory=list)
    seen: list[set[str]] = field(default_factory=list)

    async def send(self, body: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.seen.append({key.removeprefix(PREFIX) for key in self.store.objects})
        self.sent.append(decode_event(body))


@dataclass
class Ends:
    """A handler with an outcome."""

    outcome: Outcome
    calls: int = 0

    def needs_slot(self, message: Message) -> bool:
        return True

    def ref(self, message: Message) -> str:
        return message.body

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        self.calls += 1
        return self.outcome


class Aged(MemoryStore):
    """Its objects are as old as the test says."""

    age_s = 0.0

    async def get(self, key: str) -> Payload:
        found = await super().get(key)
        return Payload(
            size=found.size,
            content_type=found.content_type,
            chunks=found.chunks,
            modified_at=found.modified_at - self.age_s,
        )


def failed(text: str = "the container answered 500") -> bytes:
    return encode_failure(RequestFailure(error=text, code="container_status", status_code=500), 1)


def announcing(store: MemoryStore, outbox: Outbox, outcome: Outcome) -> Announcing:
    return Announcing(Ends(outcome), outbox=outbox, store=store, cluster_uid="uid", api_name="api")


MESSAGE = make_message("r1", webhook=URL)


def requests(store: MemoryStore, target: ScriptedTarget, on_webhook: Callable[[], None] | None = None) -> AsyncHandler:
    """Return the handler of requests."""
    return AsyncHandler(
        cluster_uid="uid",
        api_name="api",
        store=store,
        deletions=store,
        target=target,
        results=ResultWriter(1 << 20),
        policy=ResponsePolicy(max_attempts=3, retry_statuses=frozenset({503})),
        drain=Drain(),
        observer=Recorder(),
        on_webhook=on_webhook,
    )


def real(store: MemoryStore, outbox: Outbox, target: ScriptedTarget) -> Announcing:
    """Return the handler of requests, announcing."""
    handler = requests(store, target)
    return Announcing(handler, outbox=outbox, store=store, cluster_uid="uid", api_name="api")


def submitted() -> MemoryStore:
    store = MemoryStore()
    store.seed([(PREFIX + "payload", b"{}"), (PREFIX + "headers.json", b"{}")])
    return store


async def test_a_success_is_announced_once_its_status_is_stored() -> None:
    store = submitted()
    outbox = Outbox(store)
    outcome = await real(store, outbox, ScriptedTarget()).handle(MESSAGE, OpenFence())
    assert isinstance(outcome, Done)
    [event] = outbox.sent
    assert (event.url, event.api_name, event.request_id, event.status) == (URL, "api", "r1", "completed")
    assert {"result.json", "status/completed"} <= outbox.seen[0]


async def test_a_failure_is_announced_with_its_reason() -> None:
    store = submitted()
    outbox = Outbox(store)
    await real(store, outbox, ScriptedTarget([Reply(status=500)])).handle(MESSAGE, OpenFence())
    [event] = outbox.sent
    assert (event.status, event.code) == ("failed", "container_status")
    assert event.error is not None
    assert "500" in event.error
    assert "status/failed" in outbox.seen[0]


async def test_a_request_that_is_too_late_is_announced_as_expired() -> None:
    store = submitted()
    outbox, target = Outbox(store), ScriptedTarget()
    message = make_message("r1", webhook=URL, deadline="1")
    await real(store, outbox, target).handle(message, OpenFence())
    assert [(event.status, event.code) for event in outbox.sent] == [("failed", "expired")]
    assert target.requests == []


async def test_another_attempt_announces_nothing() -> None:
    store = submitted()
    outbox = Outbox(store)
    outcome = await real(store, outbox, ScriptedTarget([Reply(status=503)])).handle(MESSAGE, OpenFence())
    assert isinstance(outcome, Retry)
    assert outbox.sent == []


async def test_a_redelivery_announces_without_calling_the_container_again() -> None:
    store = submitted()
    outbox = Outbox(store)
    target = ScriptedTarget()
    handler = real(store, outbox, target)
    outbox.failures = [LeaseLostError("the sidecar ends here")]
    with pytest.raises(LeaseLostError):
        await handler.handle(MESSAGE, OpenFence())
    outcome = await handler.handle(make_message("r1", 2, webhook=URL), OpenFence())
    assert isinstance(outcome, Done)
    assert outcome.state == "already_finished"
    assert [event.status for event in outbox.sent] == ["completed"]
    assert len(target.requests) == 1


@pytest.mark.parametrize("error", [SourceUnavailableError("down"), SourceDeniedError("no", "AccessDenied")])
async def test_while_the_outbox_takes_nothing_the_message_is_kept(error: Exception) -> None:
    outbox = Outbox(MemoryStore(), failures=[error] * 200)
    handling = asyncio.create_task(
        announcing(outbox.store, outbox, Done(state="completed")).handle(MESSAGE, OpenFence())
    )
    await asyncio.sleep(60)
    assert not handling.done()
    assert isinstance(await handling, Done)
    assert len(outbox.sent) == 1


async def test_after_the_lease_is_lost_nothing_is_sent() -> None:
    outbox, fence = Outbox(MemoryStore(), failures=[SourceUnavailableError("down")]), SwitchFence()
    handling = asyncio.create_task(announcing(outbox.store, outbox, Done(state="completed")).handle(MESSAGE, fence))
    await asyncio.sleep(0)
    fence.lost = True
    with pytest.raises(LeaseLostError):
        await handling
    assert outbox.sent == []


@pytest.mark.parametrize("outcome", [Retry(after_s=1, reason=""), Requeue(reason="")])
async def test_what_is_no_end_is_not_announced(outcome: Outcome) -> None:
    outbox = Outbox(MemoryStore())
    assert await announcing(outbox.store, outbox, outcome).handle(MESSAGE, OpenFence()) is outcome
    assert outbox.sent == []


async def test_a_message_without_a_receiver_costs_nothing() -> None:
    store = MemoryStore()
    store.refuse("list", "get")
    outcome = Done(state="already_finished")
    assert await announcing(store, Outbox(store), outcome).handle(make_message("r1"), OpenFence()) is outcome


@pytest.mark.parametrize(
    ("stored", "status"),
    [
        (["status/completed", "result.json"], "completed"),
        (["status/completed", "status/failed", "result.json"], "completed"),
        (["status/failed"], "failed"),
    ],
)
async def test_what_another_delivery_has_stored_is_announced(stored: list[str], status: str) -> None:
    store = MemoryStore()
    store.seed([(PREFIX + name, failed()) for name in stored])
    outbox = Outbox(store)
    await announcing(store, outbox, Done(state="already_finished")).handle(MESSAGE, OpenFence())
    assert [event.status for event in outbox.sent] == [status]


@pytest.mark.parametrize("stored", [[], ["result.json"], ["result.json", "status/failed"]])
async def test_what_another_delivery_is_deciding_is_not_announced(stored: list[str]) -> None:
    store = Aged()
    store.seed([(PREFIX + name, failed()) for name in stored])
    outbox = Outbox(store)
    outcome = await announcing(store, outbox, Done(state="already_finished")).handle(MESSAGE, OpenFence())
    assert isinstance(outcome, Retry)
    assert outbox.sent == []


async def test_an_old_failure_beside_a_result_stands() -> None:
    store = Aged()
    store.age_s = DECIDED_AFTER_S + 1
    store.seed([(PREFIX + "result.json", b"1"), (PREFIX + "status/failed", failed())])
    outbox = Outbox(store)
    await announcing(store, outbox, Done(state="already_finished")).handle(MESSAGE, OpenFence())
    assert [event.status for event in outbox.sent] == ["failed"]


@pytest.mark.parametrize("size", [0, MAX_FAILURE_BYTES, 1_000_000])
async def test_a_failure_whose_reason_others_have_written_is_announced_and_read_as_the_gateway_does(size: int) -> None:
    store = MemoryStore()
    store.seed([(PREFIX + "status/failed", failed("why") + b" " * size)])
    outbox = Outbox(store)
    await announcing(store, outbox, Done(state="failed")).handle(MESSAGE, OpenFence())
    assert [(event.status, event.error) for event in outbox.sent] == [("failed", None if size else "why")]


async def test_an_outage_of_the_store_is_waited_for() -> None:
    store = MemoryStore()
    store.seed([(PREFIX + "status/failed", failed())])
    store.fail(5)
    outbox = Outbox(store)
    await announcing(store, outbox, Done(state="failed")).handle(MESSAGE, OpenFence())
    assert len(outbox.sent) == 1


@pytest.mark.parametrize("other", [[], [(PREFIX + "result.json", b"1")]])
async def test_a_failure_that_is_too_large_is_closed(
    monkeypatch: pytest.MonkeyPatch, other: list[tuple[str, bytes]]
) -> None:
    store = MemoryStore()
    opened = opened_by(store, monkeypatch)
    store.seed([(PREFIX + "status/failed", b" " * (MAX_FAILURE_BYTES + 1)), *other])
    await announcing(store, Outbox(store), Done(state="failed")).handle(MESSAGE, OpenFence())
    assert opened == []


@dataclass
class Events:
    """The queue of completion events."""

    sent: list[str] = field(default_factory=list)

    async def send(self, body: str) -> None:
        self.sent.append(body)


@pytest.mark.parametrize("message", [MESSAGE, make_message("r1")])
async def test_events_tell_of_each_end_whether_it_has_a_webhook_or_not(message: Message) -> None:
    store, events = submitted(), Events()
    handler = requests(store, ScriptedTarget([Reply(status=500)]))
    announcing = Announcing(handler, outbox=None, events=events, store=store, cluster_uid="uid", api_name="api")
    outcome = await announcing.handle(message, OpenFence())
    assert isinstance(outcome, Done)
    [document] = map(json.loads, events.sent)
    assert document["type"] == "request.failed"
    assert document["data"]["id"] == "r1"
    assert document["data"]["error"]["code"] == "container_status"


async def test_a_webhook_and_an_event_are_both_sent() -> None:
    store, events = submitted(), Events()
    outbox = Outbox(store)
    handler = requests(store, ScriptedTarget())
    announcing = Announcing(handler, outbox=outbox, events=events, store=store, cluster_uid="uid", api_name="api")
    await announcing.handle(MESSAGE, OpenFence())
    assert (len(outbox.sent), len(events.sent)) == (1, 1)
    assert URL not in events.sent[0]


async def test_a_worker_without_an_outbox_says_so_once_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    store = submitted()
    handler = requests(store, ScriptedTarget(), on_webhook=UnannouncedRequests().found)
    with caplog.at_level(logging.WARNING):
        for message in (make_message("r1"), MESSAGE, MESSAGE):
            assert isinstance(await handler.handle(message, OpenFence()), Done)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "DEQUEUER_WEBHOOK_QUEUE" in caplog.text
