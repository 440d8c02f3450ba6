from __future__ import annotations

from typing import Any

import pytest

from dequeuer.core.errors import SourceDeniedError, SourceUnavailableError
from dequeuer.sources.base import Depth
from dequeuer.sources.sqs.errors import SqsResponseError, translate
from dequeuer.sources.sqs.management import QueueRefusedError, Queues
from tests.controller.stage import FakeSqs

NAME = "cx_1_b_sum_1.fifo"
URL = f"https://sqs/{NAME}"
FIFO = {"FifoQueue": "true"}


class Failing(FakeSqs):
    """Every call fails with an error code."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__()
        self.code, self.status = code, status

    async def _fail(self, **_: Any) -> Any:
        raise SqsResponseError(self.status, self.code, "says the test")

    create_queue = get_queue_url = get_queue_attributes = purge_queue = delete_queue = _fail


async def test_a_queue_is_created_once_found_counted_and_deleted() -> None:
    sqs = FakeSqs()
    queues = Queues(sqs, translate)
    assert await queues.find(NAME) is None
    assert await queues.ensure(NAME, FIFO, {"jobID": "1"}) == URL
    assert await queues.ensure(NAME, FIFO, {"jobID": "1"}) == URL
    assert sqs.created == [NAME]
    assert sqs.queues[NAME].tags == {"jobID": "1"}
    assert await queues.find(NAME) == URL
    sqs.queues[NAME].messages = 3
    assert await queues.depth(URL) == Depth(visible=3, in_flight=0, delayed=0)
    await queues.purge(URL)
    assert await queues.depth(URL) == Depth(visible=0, in_flight=0, delayed=0)
    await queues.delete(URL)
    assert sqs.queues == {}


async def test_a_queue_with_other_attributes_is_taken() -> None:
    queues = Queues(FakeSqs(), translate)
    await queues.ensure(NAME, FIFO | {"VisibilityTimeout": "1"}, {})
    assert await queues.ensure(NAME, FIFO, {}) == URL


async def test_a_queue_that_does_not_exist_is_no_error() -> None:
    queues = Queues(FakeSqs(), translate)
    assert await queues.depth(URL) is None
    await queues.purge(URL)
    await queues.delete(URL)


@pytest.mark.parametrize("code", ["InvalidParameterValue", "InvalidAttributeValue", "InvalidParameterValueException"])
async def test_attributes_that_are_refused_are_told(code: str) -> None:
    with pytest.raises(QueueRefusedError, match="says the test"):
        await Queues(Failing(code), translate).ensure(NAME, FIFO, {})


@pytest.mark.parametrize("code", ["QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"])
async def test_a_queue_that_was_deleted_a_moment_ago_is_created_later(code: str) -> None:
    with pytest.raises(SourceUnavailableError, match="a queue of this name was deleted"):
        await Queues(Failing(code), translate).ensure(NAME, FIFO, {})


async def test_a_purge_that_is_under_way_is_no_error() -> None:
    await Queues(Failing("AWS.SimpleQueueService.PurgeQueueInProgress", 403), translate).purge(URL)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [("AccessDenied", 403, SourceDeniedError), ("ServiceUnavailable", 503, SourceUnavailableError)],
)
async def test_other_errors_are_translated(code: str, status: int, error: type[Exception]) -> None:
    queues = Queues(Failing(code, status), translate)
    for call in (
        queues.ensure(NAME, FIFO, {}),
        queues.find(NAME),
        queues.depth(URL),
        queues.purge(URL),
        queues.delete(URL),
    ):
        with pytest.raises(error):
            await call


async def test_a_response_without_an_url_is_no_queue() -> None:
    class Empty(FakeSqs):
        async def create_queue(self, **_: Any) -> dict[str, Any]:
            return {}

    with pytest.raises(SourceUnavailableError):
        await Queues(Empty(), translate).ensure(NAME, FIFO, {})
