"""Cancellations and deadlines: what is not begun, what is cut, and what is never cut. Listings are counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from dequeuer.core import clock
from dequeuer.core.drain import Drain
from dequeuer.core.errors import LeaseLostError, StoreDeniedError, StoreUnavailableError
from dequeuer.core.message import Done, Fence, Message, Outcome
from dequeuer.formats.deadline import DEADLINE_ATTRIBUTE, encode_deadline
from dequeuer.handlers.async_api.call import Cut
from dequeuer.handlers.async_api.cancellation import LOOK_TIMEOUT_S, MAX_FRESH_S, MAX_TIDIED, CancellationWatch
from dequeuer.handlers.async_api.handler import AsyncHandler
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sinks.base import Check, ListedPage, Payload, unchecked
from dequeuer.sinks.layout import ApiKeys, RequestKeys
from tests.fakes import MemoryStore, OpenFence, Recorder, SwitchFence, make_message
from tests.handlers.stage import Reply, ScriptedTarget

pytestmark = pytest.mark.looptime

API = ApiKeys("uid", "api")
KEYS = RequestKeys("uid", "api", "r1")
INTERVAL_S = 5.0
MAX_RESULT_BYTES = 8 << 20


class CountingStore(MemoryStore):
    """Counts pages of the listing of cancellations; each takes `list_s`."""

    pages = 0
    list_s = 0.0
    get_s = 0.0
    old_s = 0.0
    """A listing of the objects of an old request takes this long."""
    put_s = 0.0

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        assert prefix == API.cancellations
        self.pages += 1
        page = await super().list_page(prefix, after=after, token=token)
        await asyncio.sleep(self.list_s)
        return page

    async def list(self, prefix: str) -> Sequence[str]:
        await asyncio.sleep(self.old_s if "/old" in prefix else 0)
        return await super().list(prefix)

    async def get(self, key: str) -> Payload:
        found = await super().get(key)

        async def slow() -> AsyncIterator[bytes]:
            await asyncio.sleep(self.get_s)
            async for chunk in found.chunks:
                yield chunk

        return replace(found, chunks=slow())

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        await asyncio.sleep(self.put_s)
        return await super().create(key, body, content_type, check=check)


class Stage:
    def __init__(self, reply: Reply, *, store: CountingStore | None = None) -> None:
        self.store = store or CountingStore()
        self.store.seed([(KEYS.status("in_queue"), b""), (KEYS.payload, b"payload"), (KEYS.headers, b"{}")])
        self.target = ScriptedTarget([reply])
        self.watch = CancellationWatch(self.store, API, INTERVAL_S)
        self.handler = AsyncHandler(
            cluster_uid="uid",
            api_name="api",
            store=self.store,
            deletions=self.store,
            target=self.target,
            results=ResultWriter(MAX_RESULT_BYTES),
            policy=ResponsePolicy(max_attempts=5, retry_statuses=frozenset({503})),
            drain=Drain(),
            observer=Recorder(),
            cancellations=self.watch,
        )

    def cancel(self, request_id: str = "r1") -> None:
        """What the gateway writes."""
        self.store.seed([(API.cancellation(request_id), b"")])

    async def handle(self, message: Message | None = None, fence: Fence | None = None) -> Outcome:
        return await self.handler.handle(message or make_message("r1"), fence or OpenFence())

    def failure(self) -> dict[str, object]:
        loaded: dict[str, object] = json.loads(self.store.objects[KEYS.failed][0])
        return loaded

    def ends(self) -> set[str]:
        return {name for name in ("completed", "failed") if KEYS.status(name) in self.store.objects}


def waited(seconds: float, receive_count: int = 1) -> Message:
    """A message that has been in the queue for a while."""
    return replace(make_message("r1", receive_count), sent_at=clock.wall() - seconds)


def due_in(seconds: float) -> Message:
    return make_message("r1", 1, **{DEADLINE_ATTRIBUTE: encode_deadline(clock.wall() + seconds)})


async def settle(outcome: Outcome) -> None:
    """Do what the worker does after the acknowledgement."""
    assert isinstance(outcome, Done)
    if outcome.after_ack is not None:
        await outcome.after_ack()


async def test_a_cancelled_request_that_waited_is_not_begun() -> None:
    stage = Stage(Reply())
    stage.cancel()
    outcome = await stage.handle(waited(MAX_FRESH_S + 1))
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    assert stage.failure()["code"] == "cancelled"
    assert "before it was begun" in str(stage.failure()["error"])
    assert not stage.target.requests
    await settle(outcome)
    assert API.cancellation("r1") not in stage.store.objects
    assert KEYS.headers not in stage.store.objects
    assert KEYS.payload in stage.store.objects


async def test_a_redelivery_of_a_cancelled_request_is_not_begun() -> None:
    stage = Stage(Reply())
    stage.cancel()
    await stage.handle(make_message("r1", 2))
    assert stage.failure()["code"] == "cancelled"
    assert not stage.target.requests


async def test_a_running_request_is_cut_at_the_next_look() -> None:
    stage = Stage(Reply(takes_s=3600))
    loop = asyncio.get_running_loop()
    began = loop.time()
    loop.call_later(1, stage.cancel)
    outcome = await stage.handle()
    assert loop.time() - began == pytest.approx(INTERVAL_S)
    assert stage.failure() == {
        "error": "a client cancelled the request while it was processed",
        "code": "cancelled",
        "status_code": None,
        "attempts": 1,
    }
    await settle(outcome)
    assert stage.ends() == {"failed"}
    assert API.cancellation("r1") not in stage.store.objects


async def test_only_the_cancelled_one_of_many_is_cut() -> None:
    stage = Stage(Reply(takes_s=7))
    for name in ("r2", "r3"):
        keys = RequestKeys("uid", "api", name)
        stage.store.seed([(keys.payload, b""), (keys.headers, b"{}")])
    stage.cancel("r2")
    await asyncio.gather(*(stage.handle(make_message(name)) for name in ("r1", "r2", "r3")))
    ended = {
        name: [
            status
            for status in ("completed", "failed")
            if RequestKeys("uid", "api", name).status(status) in stage.store.objects
        ]
        for name in ("r1", "r2", "r3")
    }
    assert ended == {"r1": ["completed"], "r2": ["failed"], "r3": ["completed"]}


async def test_a_response_that_is_complete_is_not_cut() -> None:
    stage = Stage(Reply(takes_s=1))
    stage.store.put_s = 2 * INTERVAL_S
    stage.cancel()
    outcome = await stage.handle()
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"
    assert stage.ends() == {"completed"}
    await settle(outcome)
    assert API.cancellation("r1") not in stage.store.objects


async def test_a_large_response_that_is_complete_is_not_cut_while_it_is_written() -> None:
    stage = Stage(Reply(takes_s=1, body=b'"' + b"a" * 300_000 + b'"'))
    stage.store.put_s = 2 * INTERVAL_S
    stage.cancel()
    outcome = await stage.handle()
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"
    assert stage.ends() == {"completed"}


async def test_a_request_past_its_deadline_is_not_begun() -> None:
    stage = Stage(Reply())
    outcome = await stage.handle(due_in(-1))
    assert isinstance(outcome, Done)
    assert stage.failure()["code"] == "expired"
    assert not stage.target.requests


async def test_a_running_request_is_cut_at_its_deadline() -> None:
    stage = Stage(Reply(takes_s=3600))
    loop = asyncio.get_running_loop()
    began = loop.time()
    await stage.handle(due_in(30))
    assert loop.time() - began == pytest.approx(30, abs=0.01)
    assert stage.failure()["code"] == "cancelled"
    assert "deadline" in str(stage.failure()["error"])


async def test_a_deadline_that_is_kept_changes_nothing() -> None:
    stage = Stage(Reply(takes_s=29))
    outcome = await stage.handle(due_in(30))
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"


async def test_a_finished_request_is_not_cancelled_by_a_redelivery() -> None:
    stage = Stage(Reply())
    stage.store.seed([(KEYS.completed, b""), (KEYS.result, b"1")])
    stage.cancel()
    outcome = await stage.handle(make_message("r1", 2))
    assert isinstance(outcome, Done)
    assert outcome.state == "already_finished"
    assert stage.ends() == {"completed"}


async def test_a_fresh_first_receive_and_short_work_list_nothing() -> None:
    stage = Stage(Reply(takes_s=0.1))
    for _ in range(20):
        await stage.handle(waited(0.1))
        await asyncio.sleep(INTERVAL_S)
    assert stage.store.pages == 0


async def test_an_idle_process_lists_nothing() -> None:
    stage = Stage(Reply(takes_s=INTERVAL_S * 3 + 1))
    await stage.handle()
    assert stage.store.pages == 3
    await asyncio.sleep(3600)
    assert stage.store.pages == 3


async def test_a_hundred_that_begin_within_a_second_share_one_listing() -> None:
    stage = Stage(Reply(takes_s=0.01))
    for _ in range(9):
        await asyncio.gather(*(stage.handle(waited(60)) for _ in range(11)))
        await asyncio.sleep(MAX_FRESH_S / 10)
    assert stage.store.pages == 1
    await asyncio.sleep(MAX_FRESH_S * 2)
    await asyncio.gather(*(stage.handle(waited(60)) for _ in range(100)))
    assert stage.store.pages == 2


async def test_all_pages_are_read() -> None:
    store = CountingStore(page_size=10)
    store.seed([(API.cancellation(f"a{number:03d}"), b"") for number in range(35)])
    stage = Stage(Reply(), store=store)
    stage.cancel()
    await stage.handle(waited(60))
    assert stage.failure()["code"] == "cancelled"
    assert store.pages == 4


async def test_requests_that_ended_unseen_are_taken_out_of_the_index_a_few_at_a_time() -> None:
    stage = Stage(Reply(takes_s=60))
    ended, waiting = [f"e{number:02d}" for number in range(12)], [f"w{number:02d}" for number in range(3)]
    for name in ended:
        stage.store.seed([(RequestKeys("uid", "api", name).completed, b""), (API.cancellation(name), b"")])
    for name in waiting:
        stage.store.seed([(RequestKeys("uid", "api", name).status("in_queue"), b""), (API.cancellation(name), b"")])
    left = []
    work = asyncio.ensure_future(stage.handle())
    for _ in range(10):
        await asyncio.sleep(INTERVAL_S)
        left.append(len([key for key in stage.store.objects if key.startswith(API.cancellations)]))
    await work
    assert all(before - after <= MAX_TIDIED for before, after in zip([15, *left], left, strict=False))
    assert left[-1] == len(waiting)
    assert {API.cancellation(name) for name in waiting} <= stage.store.objects.keys()


@pytest.mark.parametrize("old", [0, 5])
async def test_neither_looks_nor_the_begin_of_work_wait_for_old_cancellations(old: int) -> None:
    stage = Stage(Reply(takes_s=120))
    stage.store.old_s = 30.0
    for number in range(old):
        name = f"old{number}"
        stage.store.seed([(RequestKeys("uid", "api", name).completed, b""), (API.cancellation(name), b"")])
    loop = asyncio.get_running_loop()
    began = loop.time()
    work = asyncio.ensure_future(stage.handle(waited(60)))
    await asyncio.sleep(0.5)
    assert stage.target.requests
    await asyncio.sleep(INTERVAL_S)
    stage.cancel()
    await work
    assert loop.time() - began <= 2 * INTERVAL_S + 0.1
    assert stage.failure()["code"] == "cancelled"
    stage.watch.close()


async def test_a_redelivery_finds_the_mark_of_the_request_although_the_index_has_no_entry() -> None:
    stage = Stage(Reply())
    stage.store.seed([(KEYS.cancel, b"")])
    await stage.handle(make_message("r1", 2))
    assert not stage.target.requests
    assert stage.failure()["code"] == "cancelled"


async def test_a_cancellation_that_was_just_asked_for_is_not_looked_into() -> None:
    stage = Stage(Reply(takes_s=30))
    stage.store.modified_at = clock.wall()
    stage.store.seed([(RequestKeys("uid", "api", "r2").completed, b""), (API.cancellation("r2"), b"")])
    await stage.handle()
    assert API.cancellation("r2") in stage.store.objects


@pytest.mark.parametrize("error", [StoreUnavailableError("away"), StoreDeniedError("no", "AccessDenied")])
async def test_a_look_that_fails_stops_nothing(error: Exception) -> None:
    stage = Stage(Reply(takes_s=2 * INTERVAL_S + 1))
    stage.cancel()
    watch = stage.store.list_page

    async def failing(prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        if stage.store.pages < 1:
            stage.store.pages += 1
            raise error
        return await watch(prefix, after=after, token=token)

    stage.store.list_page = failing  # type: ignore[method-assign]  # only the first listing fails
    await stage.handle(waited(60))
    assert len(stage.target.requests) == 1
    assert stage.failure()["code"] == "cancelled"


async def test_a_look_that_hangs_delays_the_begin_for_a_bounded_time() -> None:
    stage = Stage(Reply())
    stage.store.list_s = 3600
    loop = asyncio.get_running_loop()
    began = loop.time()
    outcome = await stage.handle(waited(60))
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"
    assert loop.time() - began == pytest.approx(LOOK_TIMEOUT_S, abs=0.1)
    stage.watch.close()


async def test_a_look_while_the_payload_is_read_begins_nothing() -> None:
    stage = Stage(Reply())
    other = RequestKeys("uid", "api", "r2")
    stage.store.seed([(other.payload, b""), (other.headers, b"{}")])
    stage.store.get_s = INTERVAL_S  # headers, then payload: meanwhile others make the process look
    stage.target.replies[0].takes_s = 2 * INTERVAL_S
    stage.cancel()
    running = asyncio.ensure_future(stage.handle(make_message("r2")))
    await asyncio.sleep(2 * INTERVAL_S + 1)
    await stage.handle()
    assert stage.failure()["code"] == "cancelled"
    assert "before it was begun" in str(stage.failure()["error"])
    assert len(stage.target.requests) == 1
    await running


async def test_a_lost_lease_is_not_taken_for_a_cancellation() -> None:
    stage, fence = Stage(Reply(takes_s=3600)), SwitchFence()
    work = asyncio.ensure_future(stage.handle(fence=fence))
    await asyncio.sleep(INTERVAL_S - 0.5)
    stage.cancel()
    fence.lost = True
    with pytest.raises(LeaseLostError):
        await work
    assert not stage.ends()


async def test_a_cancelled_attempt_is_not_taken_for_a_cancelled_request() -> None:
    stage = Stage(Reply(takes_s=3600))
    stage.cancel()
    work = asyncio.ensure_future(stage.handle())
    await asyncio.sleep(INTERVAL_S / 2)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not stage.ends()


async def test_a_cut_and_a_cancellation_from_outside_at_once_end_the_attempt() -> None:
    cut = Cut(None)
    loop = asyncio.get_running_loop()

    async def work() -> None:
        async with cut.timeout:
            await asyncio.sleep(3600)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(1)
    cut.cancel(loop.time())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("size", [3, 300_000, 3 << 20])
async def test_a_response_that_is_not_complete_is_cut_and_is_no_result(size: int) -> None:
    stage = Stage(Reply(body=b'"' + b"a" * size + b'"', body_s=3600))
    stage.cancel()
    await stage.handle()
    assert stage.failure()["code"] == "cancelled"
    assert stage.ends() == {"failed"}
    assert KEYS.result not in stage.store.objects
