"""The queues of a sidecar: opened, closed and refused one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from dequeuer.core.errors import FatalError
from dequeuer.core.events import SourceCalled
from dequeuer.core.refusals import Refusals
from dequeuer.sidecar.queues import SidecarQueues
from dequeuer.sources.sqs.errors import SqsResponseError
from dequeuer.sources.sqs.operations import SqsClient
from dequeuer.worker.shared_poller import WeightedSource
from tests.fakes import Recorder
from tests.settings.environments import QUEUE, load, without
from tests.sidecar.test_batch_objects import MemoryCloud

pytestmark = pytest.mark.looptime

DENIED = SqsResponseError(403, "AccessDenied", "refused")
UNAVAILABLE = SqsResponseError(503, "ServiceUnavailable", "later")
HOST = "https://sqs.us-west-2.amazonaws.com/1"
TWO = without(QUEUE, "DEQUEUER_QUEUE_URL") | {"DEQUEUER_QUEUE_URLS": f"{HOST}/high 9, {HOST}/low 1"}


class Sqs:
    """Each queue has an error of its own, or a redrive policy."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.called: list[tuple[str, str]] = []

    async def get_queue_attributes(self, **request: Any) -> Mapping[str, Any]:
        self._call("attributes", request)
        name = request["QueueUrl"].rpartition("/")[2]
        return {"Attributes": {"RedrivePolicy": '{"maxReceiveCount": 3}'} if name == "low" else {}}

    async def delete_message_batch(self, **request: Any) -> Mapping[str, Any]:
        self._call("delete", request)
        return {"Failed": [{"Id": "0", "Code": "ReceiptHandleIsInvalid"}]}

    def _call(self, op: str, request: Mapping[str, Any]) -> None:
        name = request["QueueUrl"].rpartition("/")[2]
        self.called.append((op, name))
        if name in self.errors:
            raise self.errors[name]


class Stage:
    def __init__(self, environ: Mapping[str, str] = TWO) -> None:
        self.sqs, self.seen, self.refusals = Sqs(), Recorder(), Refusals()
        self.queues = SidecarQueues(
            load([], environ),
            cloud=MemoryCloud(),
            client=cast("SqsClient", self.sqs),
            poll_wait_s=20,
            held=lambda: 0,
            refusals=self.refusals,
            observer=self.seen,
        )

    @property
    def sources(self) -> list[WeightedSource]:
        several = self.queues.for_worker
        assert isinstance(several, list)
        return several

    def are_open(self) -> list[bool]:
        return [one.readiness.is_open for one in self.sources]


async def test_one_queue_stays_one() -> None:
    stage = Stage(QUEUE)
    await stage.queues.open()
    assert stage.queues.for_worker is stage.queues.sources[0]
    assert [event.queue for event in stage.seen.of(SourceCalled)] == [""]
    await stage.queues.close()


async def test_several_queues_have_weights_names_and_redrive_policies_of_their_own() -> None:
    stage = Stage()
    await stage.queues.open()
    await stage.queues.open_others()
    assert [one.weight for one in stage.sources] == [9, 1]
    assert stage.are_open() == [True, True]
    assert [source.max_receives for source in stage.queues.sources] == [None, 3]
    assert {event.queue for event in stage.seen.of(SourceCalled)} == {"high", "low"}
    await stage.queues.close()


async def test_work_begins_when_one_queue_is_open_and_the_others_follow_after_their_outage() -> None:
    stage = Stage()
    stage.sqs.errors["high"] = UNAVAILABLE
    async with asyncio.timeout(100):
        await stage.queues.open()
    assert stage.are_open() == [False, True]
    others = asyncio.create_task(stage.queues.open_others())
    await asyncio.sleep(100)
    assert not others.done()
    del stage.sqs.errors["high"]
    async with asyncio.timeout(100):
        await others
    assert stage.are_open() == [True, True]


async def test_a_queue_that_cannot_be_read_ends_the_process_whether_it_is_the_first_that_answers_or_not() -> None:
    stage = Stage()
    stage.sqs.errors["high"] = DENIED
    with pytest.raises(FatalError, match="/high cannot be read"):
        async with asyncio.timeout(100):
            await stage.queues.open()
            await stage.queues.open_others()
    late = Stage()
    late.sqs.errors["high"] = UNAVAILABLE
    await late.queues.open()
    late.sqs.errors["high"] = DENIED
    with pytest.raises(FatalError, match="/high cannot be read"):
        async with asyncio.timeout(100):
            await late.queues.open_others()


@pytest.mark.parametrize("is_first_open", [False, True])
async def test_an_opening_that_is_cancelled_leaves_nothing_behind(is_first_open: bool) -> None:
    stage = Stage()
    stage.sqs.errors = {"high": UNAVAILABLE, "low": UNAVAILABLE}
    if is_first_open:
        del stage.sqs.errors["low"]
        await stage.queues.open()
    opening = asyncio.create_task(stage.queues.open_others() if is_first_open else stage.queues.open())
    await asyncio.sleep(10)
    opening.cancel()
    await asyncio.wait({opening})
    assert opening.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_refusal_closes_its_queue_and_the_harmless_call_goes_there() -> None:
    stage = Stage()
    await stage.queues.open()
    await stage.queues.open_others()
    sources = stage.sources
    stage.refusals(SourceCalled(op="ack", messages=0, duration_s=0, error="denied", queue="low"))
    assert [one.readiness.is_open for one in sources] == [True, False]
    stage.sqs.called.clear()
    await stage.queues.harmless_calls["sqs", "ack"]("low")
    assert stage.sqs.called == [("delete", "low")]
