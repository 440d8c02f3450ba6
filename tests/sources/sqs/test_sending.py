"""Sending many messages: packed, in parallel, each entry judged, for as long as it takes."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from dequeuer.core.errors import SourceDeniedError, SourceGoneError
from dequeuer.core.events import SourceCalled
from dequeuer.sources.sqs import errors as sqs_errors
from dequeuer.sources.sqs.errors import SqsResponseError
from dequeuer.sources.sqs.sending import (
    DEFAULT_MAX_MESSAGE_BYTES,
    MAX_REQUESTS,
    MessageSender,
    OutgoingMessage,
    attributes_size,
)
from tests.enqueuer.stage import FakeSqs
from tests.fakes import Recorder

pytestmark = pytest.mark.looptime


async def opened(sqs: Any, url: str = "https://sqs/1/q.fifo", seen: Recorder | None = None) -> MessageSender:
    sender = MessageSender(sqs, sqs_errors.translate, url, seen or Recorder())
    await sender.open()
    return sender


def messages(count: int, body: str = "[1]") -> list[OutgoingMessage]:
    return [OutgoingMessage(f"m-{number}", body, {"n": str(number)}) for number in range(count)]


def sent(sqs: FakeSqs) -> list[str]:
    return [entry["MessageDeduplicationId"] for entry in sqs.sent]


async def test_ten_messages_go_in_a_request() -> None:
    sqs = FakeSqs()
    await (await opened(sqs)).send(messages(25))
    assert [len(request) for request in sqs.requests] == [10, 10, 5]
    assert len(set(sent(sqs))) == 25


async def test_a_request_is_no_larger_than_a_message_may_be() -> None:
    sqs = FakeSqs(max_bytes=1000)
    sender = await opened(sqs)
    await sender.send(messages(7, "x" * 300))
    assert [len(request) for request in sqs.requests] == [3, 3, 1]
    assert OutgoingMessage("1", "ä", {"ab": "c"}).size == 2 + attributes_size({"ab": "c"}) == 2 + 2 + 6 + 1


async def test_a_standard_queue_gets_no_groups() -> None:
    sqs = FakeSqs()
    await (await opened(sqs, "https://sqs/1/q")).send(messages(1))
    assert "MessageGroupId" not in sqs.sent[0]


async def test_entries_that_failed_for_now_are_sent_again_and_only_those() -> None:
    sqs, failures = FakeSqs(), {"m-3": 2, "m-7": 1}

    def judge(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
        name = entry["MessageDeduplicationId"]
        if failures.get(name):
            failures[name] -= 1
            return {"Code": "InternalError", "SenderFault": False}
        return None

    sqs.judge = judge
    await (await opened(sqs)).send(messages(10))
    assert [len(request) for request in sqs.requests] == [10, 2, 1]
    assert sorted(sent(sqs)) == sorted(f"m-{number}" for number in range(10))


async def test_entries_of_which_nothing_is_said_are_sent_again() -> None:
    class Silent(FakeSqs):
        async def send_message_batch(self, **request: Any) -> Mapping[str, Any]:
            response = await super().send_message_batch(**request)
            return response if len(self.requests) > 1 else {"Successful": response["Successful"][:4]}

    sqs = Silent()
    await (await opened(sqs)).send(messages(10))
    assert [len(request) for request in sqs.requests] == [10, 6]


@pytest.mark.parametrize(
    "code", ["InvalidMessageContents", "InvalidParameterValue", "AccessDenied", "UnsupportedOperation"]
)
async def test_an_entry_that_is_refused_for_good_is_an_error(code: str) -> None:
    sqs = FakeSqs(judge=lambda _entry: {"Code": code, "SenderFault": True, "Message": "why"})
    with pytest.raises(SourceDeniedError, match=code):
        await (await opened(sqs)).send(messages(3))


async def test_throttled_entries_are_sent_again_although_the_fault_is_the_senders() -> None:
    answers = [{"Code": "RequestThrottled", "SenderFault": True}, None]
    sqs = FakeSqs(judge=lambda _entry: answers.pop(0))
    await (await opened(sqs)).send(messages(1))
    assert len(sqs.sent) == 1


async def test_an_outage_is_waited_for_however_long_it_is_and_every_call_is_an_event() -> None:
    loop, seen = asyncio.get_running_loop(), Recorder()

    def judge(_entry: Mapping[str, Any]) -> None:
        if loop.time() < 3600:
            raise SqsResponseError(503, "ServiceUnavailable", "")

    sqs = FakeSqs(judge=judge)
    await (await opened(sqs, seen=seen)).send(messages(1))
    assert 3600 <= loop.time() < 3620
    calls = seen.of(SourceCalled)
    assert [call.error for call in calls[-2:]] == ["unavailable", None]
    assert (calls[-1].op, calls[-1].messages) == ("send", 1)
    assert len(calls) < 1000


async def test_a_call_without_a_response_ends_and_is_repeated() -> None:
    class Hanging(FakeSqs):
        async def send_message_batch(self, **request: Any) -> Mapping[str, Any]:
            if not self.requests:
                self.requests.append([])
                await asyncio.Event().wait()
            return await super().send_message_batch(**request)

    sqs = Hanging()
    await (await opened(sqs)).send(messages(1))
    assert len(sqs.sent) == 1


async def test_a_queue_that_is_gone_ends_it_and_stops_the_other_requests() -> None:
    cancelled = 0

    class Gone(FakeSqs):
        async def send_message_batch(self, **request: Any) -> Mapping[str, Any]:
            nonlocal cancelled
            if request["Entries"][0]["MessageDeduplicationId"] == "m-50":
                raise SqsResponseError(400, "QueueDoesNotExist", "")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled += 1
                raise
            raise AssertionError

    with pytest.raises(SourceGoneError):
        await (await opened(Gone())).send(messages(100))
    assert cancelled == 9


async def test_the_number_of_requests_in_flight_is_bounded() -> None:
    running = most = 0

    class Slow(FakeSqs):
        async def send_message_batch(self, **request: Any) -> Mapping[str, Any]:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(1)
            running -= 1
            return await super().send_message_batch(**request)

    sqs = Slow()
    await (await opened(sqs)).send(messages(1000))
    assert most == MAX_REQUESTS
    assert len(set(sent(sqs))) == 1000


async def test_the_limit_of_a_message_is_that_of_the_queue() -> None:
    assert (await opened(FakeSqs(max_bytes=1_048_576))).max_message_bytes == 1_048_576

    class Untold(FakeSqs):
        async def get_queue_attributes(self, **_request: Any) -> Mapping[str, Any]:
            return {}

    assert (await opened(Untold())).max_message_bytes == DEFAULT_MAX_MESSAGE_BYTES
