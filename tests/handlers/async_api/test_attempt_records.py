"""Attempts that are tried again leave a record, whose loss or delay matters to nobody."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.core import clock
from dequeuer.core.drain import Drain
from dequeuer.core.errors import ContainerUnavailableError, LeaseLostError, StoreDeniedError, StoreUnavailableError
from dequeuer.core.message import Fence, Outcome, Retry
from dequeuer.formats.attempt import MAX_RECORDS, decode_attempt
from dequeuer.formats.go_time import parse_time
from dequeuer.handlers.async_api.attempt_records import RECORD_TIMEOUT_S, AttemptRecords
from dequeuer.handlers.async_api.handler import AsyncHandler
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sinks.base import Check, unchecked
from dequeuer.sinks.layout import ApiKeys, RequestKeys
from tests.fakes import MemoryStore, OpenFence, Recorder, SwitchFence, make_message
from tests.handlers.stage import UNREACHABLE, Reply, ScriptedTarget

pytestmark = pytest.mark.looptime

API = ApiKeys("uid", "api")
KEYS = RequestKeys("uid", "api", "r1")


class Stage:
    def __init__(self, reply: Reply, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.store.seed([(KEYS.payload, b"payload"), (KEYS.headers, b"{}")])
        self.drain = Drain()
        self.handler = AsyncHandler(
            cluster_uid="uid",
            api_name="api",
            store=self.store,
            deletions=self.store,
            target=ScriptedTarget([reply]),
            results=ResultWriter(1 << 20),
            policy=ResponsePolicy(max_attempts=5, retry_statuses=frozenset({503})),
            drain=self.drain,
            observer=Recorder(),
            attempts=AttemptRecords(self.store, API, "pod-1"),
        )

    async def handle(self, receive_count: int = 1, fence: Fence | None = None) -> Outcome:
        return await self.handler.handle(make_message("r1", receive_count), fence or OpenFence())

    def record(self, number: int) -> dict[str, object]:
        return decode_attempt(self.store.objects[API.attempt("r1", number)][0])

    def records(self) -> list[str]:
        return [key for key in self.store.objects if key.startswith(API.attempts("r1"))]


async def test_an_attempt_that_is_tried_again_leaves_a_record() -> None:
    stage = Stage(Reply(status=503, takes_s=2))
    before = clock.wall()
    assert isinstance(await stage.handle(2), Retry)
    record = stage.record(2)
    assert parse_time(str(record.pop("began"))) <= parse_time(str(record.pop("ended")))
    assert record == {
        "worker": "pod-1",
        "outcome": "retried",
        "code": "container_status",
        "reason": "the container answered 503",
        "status_code": 503,
    }
    assert clock.wall() >= before


async def test_a_container_that_cannot_be_reached_is_recorded_without_a_status() -> None:
    stage = Stage(UNREACHABLE)
    assert isinstance(await stage.handle(1), Retry)
    record = stage.record(1)
    assert (record["code"], "status_code" in record) == ("unreachable", False)


@pytest.mark.parametrize("reply", [Reply(), Reply(status=500)])
async def test_a_last_attempt_leaves_none(reply: Reply) -> None:
    stage = Stage(reply)
    await stage.handle(1)
    assert not stage.records()


async def test_a_hundred_attempts_leave_a_bounded_number_of_records() -> None:
    stage = Stage(Reply(status=503))
    for receive_count in range(1, 101):
        await stage.handle(receive_count)
    assert len(stage.records()) == MAX_RECORDS


async def test_what_a_drain_releases_is_released_at_once() -> None:
    stage = Stage(Reply(body_error=ContainerUnavailableError("the connection broke")))
    stage.drain.request()
    assert await stage.handle(1) == Retry(after_s=0, reason="the connection broke")
    assert not stage.records()


@pytest.mark.parametrize("error", [StoreUnavailableError("away"), StoreDeniedError("no", "AccessDenied")])
async def test_a_record_that_cannot_be_written_changes_nothing(error: Exception) -> None:
    class Failing(MemoryStore):
        async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
            raise error

    assert isinstance(await Stage(Reply(status=503), Failing()).handle(1), Retry)


async def test_a_store_that_hangs_delays_the_release_for_a_bounded_time() -> None:
    class Hanging(MemoryStore):
        async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
            await asyncio.sleep(3600)

    began = asyncio.get_running_loop().time()
    assert isinstance(await Stage(Reply(status=503), Hanging()).handle(1), Retry)
    assert asyncio.get_running_loop().time() - began == pytest.approx(RECORD_TIMEOUT_S)


async def test_nothing_is_recorded_after_the_lease() -> None:
    stage, fence = Stage(Reply(status=503)), SwitchFence()
    fence.lost = True
    with pytest.raises(LeaseLostError):
        await stage.handle(1, fence)
    assert not stage.records()
