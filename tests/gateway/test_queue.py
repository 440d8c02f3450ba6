from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ServerDisconnectedError
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError

from dequeuer.core.errors import SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.core.events import SourceCalled
from dequeuer.gateway.queue import GroupsRefusedError, SqsQueue
from dequeuer.gateway.retry import REQUEST_RETRIES
from dequeuer.sources.sqs.sdk_errors import translate
from tests.fakes import Recorder
from tests.moto_server import moto_server


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
async def sqs(endpoint: str) -> AsyncIterator[Any]:
    async with get_session().create_client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=AioConfig(retries={"total_max_attempts": 1}),
    ) as client:
        yield client


async def receive(sqs: Any, url: str) -> list[dict[str, Any]]:
    answer = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
    return list(answer.get("Messages", []))


async def test_a_standard_queue(sqs: Any) -> None:
    url = (await sqs.create_queue(QueueName="standard"))["QueueUrl"]
    await SqsQueue(sqs, translate).send(url, "id1", "id1", may_repeat=False)
    [message] = await receive(sqs, url)
    assert message["Body"] == "id1"
    assert "MessageGroupId" not in message["Attributes"]


async def test_the_group_of_a_message_in_a_standard_queue_says_whose_it_is(sqs: Any) -> None:
    url = (await sqs.create_queue(QueueName="fair"))["QueueUrl"]
    for request_id in ("id1", "id2"):
        await SqsQueue(sqs, translate).send(url, request_id, request_id, may_repeat=False, group="web@example.com")
    messages = await receive(sqs, url)
    assert [message["Attributes"]["MessageGroupId"] for message in messages] == ["web@example.com"] * 2


async def test_in_a_fifo_queue_each_request_stays_its_own_group(sqs: Any) -> None:
    url = (await sqs.create_queue(QueueName="fair.fifo", Attributes={"FifoQueue": "true"}))["QueueUrl"]
    await SqsQueue(sqs, translate).send(url, "id1", "id1", may_repeat=False, group="web")
    [message] = await receive(sqs, url)
    assert message["Attributes"]["MessageGroupId"] == "id1"


async def test_a_fifo_queue(sqs: Any) -> None:
    url = (await sqs.create_queue(QueueName="the.fifo", Attributes={"FifoQueue": "true"}))["QueueUrl"]
    for request_id in ("id1", "id2", "id1"):
        await SqsQueue(sqs, translate).send(url, request_id, request_id, may_repeat=False)
    messages = await receive(sqs, url)
    assert [message["Body"] for message in messages] == ["id1", "id2"]
    assert [message["Attributes"]["MessageGroupId"] for message in messages] == ["id1", "id2"]
    assert [message["Attributes"]["MessageDeduplicationId"] for message in messages] == ["id1", "id2"]


async def test_a_message_that_may_be_repeated_is_marked() -> None:
    class Client:
        def __init__(self) -> None:
            self.requests: list[dict[str, Any]] = []

        async def send_message(self, **request: Any) -> None:
            self.requests.append(request)

    client = Client()
    await SqsQueue(client, translate).send("http://x/q", "id1", "id1", may_repeat=True)
    await SqsQueue(client, translate).send("http://x/q", "id1", "id1", may_repeat=False)
    marked = {"may_repeat": {"DataType": "String", "StringValue": "true"}}
    assert [request.get("MessageAttributes") for request in client.requests] == [marked, None]


async def test_a_queue_that_does_not_exist(sqs: Any, endpoint: str) -> None:
    with pytest.raises(SourceGoneError):
        await SqsQueue(sqs, translate).send(f"{endpoint}/123456789012/nothing", "id1", "id1", may_repeat=False)


@dataclass
class ScriptedClient:
    """Raises the errors of the script, then succeeds."""

    script: list[Exception]
    calls: list[dict[str, str]] = field(default_factory=list)

    async def send_message(self, **request: str) -> Any:
        self.calls.append(request)
        if self.script:
            raise self.script.pop(0)
        return {"MessageId": "1"}


def refusal(code: str, status: int = 400, text: str = "no") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "SendMessage")


TRANSIENT = [
    refusal("RequestThrottled"),
    refusal("ThrottlingException"),
    refusal("InternalError", 500),
    refusal("ServiceUnavailable", 503),
    ConnectTimeoutError(endpoint_url="http://x"),
    ServerDisconnectedError(),
    ConnectionResetError(),
    TimeoutError(),
]


@pytest.mark.looptime
@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
async def test_short_failures_are_retried(error: Exception) -> None:
    client = ScriptedClient([error, error])
    await SqsQueue(client, translate).send("http://x/q", "id1", "id1", may_repeat=False)
    assert client.calls == [{"QueueUrl": "http://x/q", "MessageBody": "id1"}] * 3


@pytest.mark.looptime
async def test_each_call_is_reported_with_what_the_log_says_of_it() -> None:
    seen = Recorder()
    await SqsQueue(ScriptedClient([TRANSIENT[0]]), translate, seen).send("u", "id1", "id1", may_repeat=False)
    with pytest.raises(SourceDeniedError):
        await SqsQueue(ScriptedClient([refusal("AccessDenied")]), translate, seen).send(
            "u", "id", "id", may_repeat=False
        )
    calls = seen.of(SourceCalled)
    assert [(one.op, one.error) for one in calls] == [("send", "unavailable"), ("send", None), ("send", "denied")]
    assert "RequestThrottled" in calls[0].detail
    assert (calls[2].code, "AccessDenied" in calls[2].detail) == ("AccessDenied", True)


@pytest.mark.looptime
async def test_a_call_without_an_answer_is_no_success() -> None:
    class Hanging:
        async def send_message(self, **_request: Any) -> None:
            await asyncio.Event().wait()

    seen = Recorder()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(15):
            await SqsQueue(Hanging(), translate, seen).send("u", "id1", "id1", may_repeat=False)
    assert [one.error for one in seen.of(SourceCalled)] == ["unavailable"]


@pytest.mark.looptime
@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
async def test_an_outage_ends_in_an_error_within_seconds(error: Exception, looptime: float) -> None:
    client = ScriptedClient([error] * 100)
    with pytest.raises(SourceUnavailableError):
        await SqsQueue(client, translate).send("http://x/q.fifo", "id1", "id1", may_repeat=False)
    assert len(client.calls) == REQUEST_RETRIES.max_attempts
    assert looptime <= 1.5


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal("AccessDenied", 403), SourceDeniedError),
        (refusal("InvalidParameterValue"), SourceDeniedError),
        (refusal("AWS.SimpleQueueService.NonExistentQueue"), SourceGoneError),
        (NoCredentialsError(), SourceDeniedError),
    ],
    ids=repr,
)
async def test_errors_that_are_not_retried(error: Exception, expected: type[Exception]) -> None:
    client = ScriptedClient([error])
    with pytest.raises(expected):
        await SqsQueue(client, translate).send("http://x/q", "id1", "id1", may_repeat=False)
    assert len(client.calls) == 1


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("url", "group", "text", "is_of_group"),
    [
        (
            "http://x/q",
            "web",
            "Value web for parameter MessageGroupId is invalid. Reason: not valid for this type",
            True,
        ),
        ("http://x/q", "web", "One or more parameters are invalid. Reason: Message must be shorter", False),
        ("http://x/q", "", "Value web for parameter MessageGroupId is invalid.", False),
        ("http://x/q.fifo", "web", "Value id1 for parameter MessageGroupId is invalid.", False),
    ],
)
async def test_a_server_without_groups_in_standard_queues_is_told_apart(
    url: str, group: str, text: str, is_of_group: bool
) -> None:
    client = ScriptedClient([refusal("InvalidParameterValue", text=text)])
    with pytest.raises(SourceDeniedError) as caught:
        await SqsQueue(client, translate).send(url, "id1", "id1", may_repeat=False, group=group)
    assert isinstance(caught.value, GroupsRefusedError) is is_of_group
    assert len(client.calls) == 1
