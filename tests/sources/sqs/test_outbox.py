"""The outbox: single messages, of which each is durable before the caller goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from dequeuer.core.errors import SourceDeniedError, SourceUnavailableError
from dequeuer.core.events import SourceCalled
from dequeuer.sources.sqs.errors import SqsResponseError, translate
from dequeuer.sources.sqs.outbox import CALL_TIMEOUT_S, SqsOutbox
from tests.fakes import Recorder

pytestmark = pytest.mark.looptime


class Client:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.requests: list[Mapping[str, Any]] = []

    async def send_message(self, **request: Any) -> Mapping[str, Any]:
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return {}


def outbox(client: Any, seen: Recorder | None = None) -> SqsOutbox:
    return SqsOutbox(client, translate, "https://sqs/1/hooks", seen or Recorder())


async def test_a_message_is_sent_and_reported() -> None:
    client, seen = Client(), Recorder()
    await outbox(client, seen).send("{}")
    assert client.requests == [{"QueueUrl": "https://sqs/1/hooks", "MessageBody": "{}"}]
    assert [(event.op, event.messages, event.error) for event in seen.of(SourceCalled)] == [("send", 1, None)]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (SqsResponseError(503, "ServiceUnavailable", ""), SourceUnavailableError),
        (SqsResponseError(403, "AccessDenied", ""), SourceDeniedError),
        (SqsResponseError(400, "InvalidParameterValue", ""), SourceDeniedError),
    ],
)
async def test_a_failure_is_reported_and_raised(error: Exception, raised: type[Exception]) -> None:
    seen = Recorder()
    with pytest.raises(raised):
        await outbox(Client(error), seen).send("{}")
    assert [event.messages for event in seen.of(SourceCalled)] == [0]


async def test_an_outbox_that_does_not_exist_does_not_end_the_work() -> None:
    with pytest.raises(SourceDeniedError, match="https://sqs/1/hooks does not exist"):
        await outbox(Client(SqsResponseError(400, "QueueDoesNotExist", "")), Recorder()).send("{}")


async def test_a_call_ends() -> None:
    class Hangs(Client):
        async def send_message(self, **request: Any) -> Mapping[str, Any]:
            await asyncio.Event().wait()
            return {}

    began = asyncio.get_running_loop().time()
    with pytest.raises(SourceUnavailableError):
        await outbox(Hangs()).send("{}")
    assert asyncio.get_running_loop().time() - began == CALL_TIMEOUT_S
