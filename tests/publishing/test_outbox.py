"""What the answers of SNS and EventBridge mean: taken, not now, or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from dequeuer.core.errors import SourceDeniedError, SourceUnavailableError
from dequeuer.core.events import SourceCalled
from dequeuer.publishing.operations import PublishingError
from dequeuer.publishing.outbox import BusOutbox, TopicOutbox
from dequeuer.sources.sqs.errors import translate
from dequeuer.sources.sqs.outbox import CALL_TIMEOUT_S
from tests.fakes import Recorder

pytestmark = pytest.mark.looptime

BODY = '{"type":"request.completed","data":{}}'
TAKEN: Mapping[str, Any] = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}


class Client:
    """Answers every call with `answer`, or raises it; it keeps what was asked."""

    def __init__(self, answer: Mapping[str, Any] | Exception | None) -> None:
        self.answer = answer
        self.requests: list[Mapping[str, Any]] = []

    async def _call(self, request: Mapping[str, Any]) -> Any:
        self.requests.append(request)
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def publish(self, **request: Any) -> Any:
        return await self._call(request)

    async def put_events(self, **request: Any) -> Any:
        return await self._call(request)


def topic(client: Client, seen: Recorder) -> TopicOutbox:
    return TopicOutbox(client, translate, "arn-of-topic", "text", seen)


def bus(client: Client, seen: Recorder) -> BusOutbox:
    return BusOutbox(client, translate, "arn-of-bus", seen)


async def test_what_is_sent() -> None:
    client, seen = Client(TAKEN), Recorder()
    await topic(client, seen).send(BODY)
    await bus(client, seen).send(BODY)
    published, put = client.requests
    assert (published["TopicArn"], published["Message"]) == ("arn-of-topic", BODY)
    texts = {name: value["StringValue"] for name, value in published["MessageAttributes"].items()}
    assert texts == {"type": "request.completed", "api_name": "text"}
    [entry] = put["Entries"]
    assert entry == {
        "Source": "dequeuer",
        "DetailType": "request.completed",
        "Detail": BODY,
        "EventBusName": "arn-of-bus",
    }
    assert [(event.op, event.error) for event in seen.of(SourceCalled)] == [("publish", None), ("put_events", None)]


@pytest.mark.parametrize("make", [topic, bus])
@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [
        (400, "Throttling", SourceUnavailableError),
        (500, "InternalFailure", SourceUnavailableError),
        (503, "", SourceUnavailableError),
        (403, "AuthorizationError", SourceDeniedError),
        (400, "AccessDeniedException", SourceDeniedError),
        (404, "NotFound", SourceDeniedError),
        (400, "ResourceNotFoundException", SourceDeniedError),
        (400, "InvalidParameterValue", SourceDeniedError),
    ],
)
async def test_refusals_are_told_from_outages(make: Any, status: int, code: str, raised: type[Exception]) -> None:
    seen = Recorder()
    with pytest.raises(raised):
        await make(Client(PublishingError(status, code, "no")), seen).send(BODY)
    assert [event.messages for event in seen.of(SourceCalled)] == [0]


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}, SourceUnavailableError),
        ({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}, SourceUnavailableError),
        ({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "NotAuthorizedForSourceException"}]}, SourceDeniedError),
        ({"FailedEntryCount": 1, "Entries": []}, SourceUnavailableError),
        ({"FailedEntryCount": 1}, SourceUnavailableError),
        ({}, SourceUnavailableError),
    ],
)
async def test_an_event_that_the_bus_has_not_taken_is_not_sent(answer: Any, raised: type[Exception]) -> None:
    seen = Recorder()
    with pytest.raises(raised):
        await bus(Client(answer), seen).send(BODY)
    assert [event.messages for event in seen.of(SourceCalled)] == [0]


@pytest.mark.parametrize("make", [topic, bus])
async def test_a_call_ends(make: Any) -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(SourceUnavailableError):
        await make(Client(None), Recorder()).send(BODY)
    assert asyncio.get_running_loop().time() - began == CALL_TIMEOUT_S
