import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from dequeuer.core.errors import (
    LeaseLostError,
    SourceDeniedError,
    SourceGoneError,
    SourceUnavailableError,
)
from dequeuer.core.events import SourceCalled
from dequeuer.sources.base import Depth
from dequeuer.sources.sqs import errors as sqs_errors
from dequeuer.sources.sqs.errors import SqsResponseError
from dequeuer.sources.sqs.sdk_errors import translate
from dequeuer.sources.sqs.source import ACK_LINGER_S, MIN_EMPTY_POLL_INTERVAL_S, SqsSource
from dequeuer.worker.settlement import Settler
from tests.fakes import Recorder

pytestmark = pytest.mark.looptime


class FakeSqs:
    """A fake of the SDK's client: records requests, returns what the test sets."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Mapping[str, Any]]] = []
        self.answers: dict[str, list[Any]] = {}

    def _answer(self, name: str, request: Mapping[str, Any], default: Any) -> Any:
        self.requests.append((name, request))
        answers = self.answers.get(name)
        answer = answers.pop(0) if answers else default
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def receive_message(self, **request: object) -> Any:
        return self._answer("receive", request, {})

    async def delete_message_batch(self, **request: Any) -> Any:
        return self._answer("delete", request, {"Successful": [{"Id": e["Id"]} for e in request["Entries"]]})

    async def change_message_visibility_batch(self, **request: Any) -> Any:
        return self._answer("change", request, {"Successful": [{"Id": e["Id"]} for e in request["Entries"]]})

    async def get_queue_attributes(self, **request: object) -> Any:
        return self._answer("attributes", request, {})

    async def send_message(self, **request: object) -> Any:
        return self._answer("send", request, {"MessageId": "new"})

    def entries(self, name: str) -> list[list[dict[str, Any]]]:
        return [request["Entries"] for called, request in self.requests if called == name]


def make(client: FakeSqs, url: str = "http://q/1/jobs", observer: Recorder | None = None, **options: Any) -> SqsSource:
    return SqsSource(
        client,
        translate=translate,
        queue_url=url,
        visibility_timeout_s=30,
        poll_wait_s=20,
        held=lambda: 100,
        observer=observer or Recorder(),
        **options,
    )


def raw(number: int, **extra: Any) -> dict[str, Any]:
    return {
        "MessageId": f"m{number}",
        "ReceiptHandle": f"h{number}",
        "Body": f"r{number}",
        "Attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1700000000500"},
        **extra,
    }


def client_error(code: str, operation: str = "Any") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "the text"}}, operation)


async def test_more_of_what_the_queue_says_is_asked_for_and_carried() -> None:
    client = FakeSqs()
    system = {"ApproximateReceiveCount": "3", "SenderId": "AIDA", "MessageGroupId": "g"}
    client.answers["receive"] = [{"Messages": [raw(1, Attributes=system), raw(2)]}]
    leases = await make(client, system_attributes=("SenderId",)).receive(2)
    assert [lease.message.system_attributes for lease in leases] == [{"SenderId": "AIDA"}, {}]
    [(_, request)] = client.requests
    asked = ["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId", "SenderId"]
    assert request["AttributeNames"] == request["MessageSystemAttributeNames"] == asked


async def test_a_message_knows_its_queue_and_that_queues_redrive_policy() -> None:
    client = FakeSqs()
    client.answers["receive"] = [{"Messages": [raw(1)]}]
    client.answers["attributes"] = [{"Attributes": {"RedrivePolicy": '{"maxReceiveCount": 3}'}}]
    source = make(client)
    await source.open()
    [lease] = await source.receive(1)
    assert (lease.source, lease.message.queue_name, lease.message.max_receives) == (source, "jobs", 3)


@pytest.mark.parametrize(("wait_s", "waited_s"), [(None, 20), (0, 0), (2, 2), (60, 20)])
async def test_a_receive_waits_as_long_as_it_is_told_and_no_longer_than_the_queue_is_set_to(
    wait_s: int | None, waited_s: int
) -> None:
    client = FakeSqs()
    await make(client).receive(1, wait_s=wait_s)
    assert client.requests[0][1]["WaitTimeSeconds"] == waited_s


async def test_every_event_of_one_of_several_queues_names_it() -> None:
    client, seen = FakeSqs(), Recorder()
    client.answers = {
        "receive": [{"Messages": [raw(1), {"Body": "no receipt"}]}, client_error("AccessDenied")],
        "delete": [{"Failed": [{"Id": "0", "Code": "ReceiptHandleIsInvalid"}]}],
    }
    source = make(client, observer=seen, is_one_of_several=True)
    [lease] = await source.receive(1)
    with pytest.raises(SourceDeniedError):
        await source.receive(1)
    with pytest.raises(SourceUnavailableError):
        await source.depth()
    with pytest.raises(LeaseLostError):
        await lease.ack()
    events = seen.of(SourceCalled)
    assert {event.error for event in events} == {"invalid", None, "denied", "unavailable", "refused"}
    assert {event.queue for event in events} == {"jobs"}


async def test_the_size_of_all_attributes_is_known() -> None:
    client = FakeSqs()
    attributes = {
        "text": {"DataType": "String", "StringValue": "x" * 7},
        "bytes": {"DataType": "Binary", "BinaryValue": b"x" * 5},
        "other": {"DataType": "Binary", "BinaryValue": 7},
    }
    client.answers["receive"] = [{"Messages": [raw(1, MessageAttributes=attributes), raw(2)]}]
    leases = await make(client).receive(2)
    assert [lease.message.attributes_chars for lease in leases] == [7 + 5, 0]


async def test_where_groups_have_an_order_one_message_is_received_at_a_time_and_none_is_sent_again() -> None:
    client = FakeSqs()
    client.answers["receive"] = [{"Messages": [raw(1)]}]
    source = make(client, "http://q/1/jobs.fifo", keeps_groups=True)
    [lease] = await source.receive(10)
    [(_, request)] = client.requests
    assert request["MaxNumberOfMessages"] == 1
    with pytest.raises(SourceDeniedError):
        await source.copy(lease)
    assert [name for name, _ in client.requests] == ["receive"]


async def test_a_standard_queue_has_no_groups_whose_order_would_matter() -> None:
    client = FakeSqs()
    client.answers["receive"] = [{"Messages": [raw(1)]}]
    source = make(client, keeps_groups=True)
    [lease] = await source.receive(10)
    assert client.requests[0][1]["MaxNumberOfMessages"] == 10
    await source.copy(lease)
    assert [name for name, _ in client.requests] == ["receive", "send"]


async def test_receive_asks_for_what_is_wanted_and_reads_what_comes() -> None:
    client = FakeSqs()
    attributes = {"job_complete": {"DataType": "String", "StringValue": "true"}}
    client.answers["receive"] = [{"Messages": [raw(1, MessageAttributes=attributes), raw(2)]}]
    first, second = await make(client).receive(25)
    [(_, request)] = client.requests
    assert request["MaxNumberOfMessages"] == 10
    assert request["WaitTimeSeconds"] == 20
    assert request["VisibilityTimeout"] == 30
    assert (first.message.id, first.message.body, first.message.receive_count) == ("m1", "r1", 3)
    assert first.message.sent_at == 1700000000.5
    assert first.message.attributes == {"job_complete": "true"}
    assert second.message.attributes == {}


async def test_a_message_that_was_sent_again_is_told_from_a_new_one() -> None:
    client = FakeSqs()
    mark = {"may_repeat": {"DataType": "String", "StringValue": "true"}}
    client.answers["receive"] = [{"Messages": [raw(1, MessageAttributes=mark), raw(2)]}]
    assert [lease.message.may_repeat for lease in await make(client).receive(10)] == [True, False]


async def test_a_quiet_poll_brings_nothing() -> None:
    assert await make(FakeSqs()).receive(1) == []


async def test_acks_are_gathered_in_tens() -> None:
    client = FakeSqs()
    client.answers["receive"] = [
        {"Messages": [raw(n) for n in range(10)]},
        {"Messages": [raw(n) for n in range(10, 13)]},
    ]
    source = make(client)
    leases = [*await source.receive(10), *await source.receive(10)]
    await asyncio.gather(*(lease.ack() for lease in leases))
    assert [[e["ReceiptHandle"] for e in batch] for batch in client.entries("delete")] == [
        [f"h{n}" for n in range(10)],
        ["h10", "h11", "h12"],
    ]


async def test_a_200_with_failed_entries_is_no_success_for_those() -> None:
    client = FakeSqs()
    client.answers["receive"] = [{"Messages": [raw(n) for n in range(4)]}]
    client.answers["delete"] = [
        {
            "Successful": [{"Id": "0"}],
            "Failed": [
                {"Id": "1", "Code": "ReceiptHandleIsInvalid", "SenderFault": True},
                {"Id": "2", "Code": "InternalError", "SenderFault": False},
            ],
        }
    ]
    leases = await make(client).receive(4)
    results = await asyncio.gather(*(lease.ack() for lease in leases), return_exceptions=True)
    assert [type(result) for result in results] == [
        type(None),
        LeaseLostError,
        SourceUnavailableError,
        SourceUnavailableError,
    ]


async def test_renewals_and_releases_carry_whole_seconds_of_their_own() -> None:
    client = FakeSqs()
    client.answers["receive"] = [{"Messages": [raw(1), raw(2), raw(3)]}]
    one, two, three = await make(client).receive(3)
    await asyncio.gather(one.extend(29.9), two.release(1.2), three.release())
    [entries] = client.entries("change")
    assert [(e["ReceiptHandle"], e["VisibilityTimeout"]) for e in entries] == [("h1", 29), ("h2", 2), ("h3", 0)]


async def test_a_release_never_asks_for_more_than_the_queue_allows() -> None:
    client = FakeSqs()
    client.answers["receive"] = [{"Messages": [raw(1)]}]
    [lease] = await make(client).receive(1)
    await lease.release(10**9)
    assert client.entries("change")[0][0]["VisibilityTimeout"] == 43200


@pytest.mark.parametrize(
    ("raised", "expected", "kind"),
    [
        (client_error("AWS.SimpleQueueService.NonExistentQueue"), SourceGoneError, "missing"),
        (client_error("QueueDoesNotExist"), SourceGoneError, "missing"),
        (client_error("AccessDenied"), SourceDeniedError, "denied"),
        (client_error("InvalidClientTokenId"), SourceDeniedError, "denied"),
        (NoCredentialsError(), SourceDeniedError, "denied"),
        (client_error("ThrottlingException"), SourceUnavailableError, "unavailable"),
        (client_error("ServiceUnavailable"), SourceUnavailableError, "unavailable"),
        (EndpointConnectionError(endpoint_url="http://q"), SourceUnavailableError, "unavailable"),
        (TimeoutError(), SourceUnavailableError, "unavailable"),
        (ConnectionResetError(), SourceUnavailableError, "unavailable"),
    ],
)
async def test_errors_are_translated_and_reported(raised: Exception, expected: type[Exception], kind: str) -> None:
    client, seen = FakeSqs(), Recorder()
    client.answers["receive"] = [raised]
    with pytest.raises(expected):
        await make(client, observer=seen).receive(1)
    [called] = seen.of(SourceCalled)
    assert (called.op, called.error) == ("receive", kind)


@pytest.mark.parametrize(
    "code", ["ReceiptHandleIsInvalid", "AWS.SimpleQueueService.MessageNotInflight", "InvalidParameterValue"]
)
async def test_a_refused_receipt_is_a_lost_lease(code: str) -> None:
    client = FakeSqs()
    client.answers["receive"] = [{"Messages": [raw(1)]}]
    client.answers["change"] = [{"Failed": [{"Id": "0", "Code": code}]}]
    [lease] = await make(client).receive(1)
    with pytest.raises(LeaseLostError):
        await lease.extend(30)


async def test_depth_counts_everything_that_is_not_settled() -> None:
    client = FakeSqs()
    client.answers["attributes"] = [
        {
            "Attributes": {
                "ApproximateNumberOfMessages": "2",
                "ApproximateNumberOfMessagesNotVisible": "3",
                "ApproximateNumberOfMessagesDelayed": "4",
            }
        }
    ]
    depth = await make(client).depth()
    assert depth == Depth(visible=2, in_flight=3, delayed=4)
    assert depth.total == 9


@pytest.mark.parametrize("attributes", [{}, {"RedrivePolicy": '{"maxReceiveCount":3}'}])
async def test_open_finds_the_redrive_policy(attributes: dict[str, str]) -> None:
    client = FakeSqs()
    client.answers["attributes"] = [{"Attributes": attributes}]
    source = make(client)
    await source.open()
    assert source.has_redrive is bool(attributes)
    assert source.max_receives == (3 if attributes else None)


@pytest.mark.parametrize("policy", ["x", "[]", "{}", '{"maxReceiveCount":"many"}'])
async def test_a_policy_that_cannot_be_read_ends_no_message_early(policy: str) -> None:
    client = FakeSqs()
    client.answers["attributes"] = [{"Attributes": {"RedrivePolicy": policy}}]
    source = make(client)
    await source.open()
    assert (source.has_redrive, source.max_receives) == (True, 1000)


@pytest.mark.parametrize("fifo", [False, True])
async def test_a_copy_is_sent_once_and_deletes_nothing(fifo: bool) -> None:
    client = FakeSqs()
    attributes = {"job_complete": {"DataType": "String", "StringValue": "true"}}
    client.answers["receive"] = [{"Messages": [raw(1, MessageAttributes=attributes)]}]
    client.answers["send"] = [client_error("ThrottlingException")]
    source = make(client, "http://q/1/jobs.fifo" if fifo else "http://q/1/jobs")
    [lease] = await source.receive(1)
    with pytest.raises(SourceUnavailableError):
        await source.copy(lease)
    await source.copy(lease)
    await source.copy(lease)
    assert [name for name, _ in client.requests] == ["receive", "send", "send"]
    # The first one may have been stored: a FIFO queue then drops the second.
    assert client.requests[1] == client.requests[2]
    sent = client.requests[2][1]
    marked = {**attributes, "may_repeat": {"DataType": "String", "StringValue": "true"}}
    assert (sent["MessageBody"], sent["MessageAttributes"]) == ("r1", marked)
    assert ("MessageGroupId" in sent) is fifo


@pytest.mark.parametrize("group", ["web", None, 7])
async def test_a_copy_in_a_standard_queue_stays_that_of_its_caller(group: object) -> None:
    client = FakeSqs()
    system = {"ApproximateReceiveCount": "1"} | ({} if group is None else {"MessageGroupId": group})
    client.answers["receive"] = [{"Messages": [raw(1, Attributes=system)]}]
    source = make(client)
    [lease] = await source.receive(1)
    await source.copy(lease)
    sent = client.requests[1][1]
    assert "MessageGroupId" in client.requests[0][1]["MessageSystemAttributeNames"]
    assert sent.get("MessageGroupId") == ("web" if group == "web" else None)
    assert "MessageDeduplicationId" not in sent


async def test_a_copy_in_a_fifo_queue_waits_for_no_other_message() -> None:
    client = FakeSqs()
    system = {"ApproximateReceiveCount": "1", "MessageGroupId": "web"}
    client.answers["receive"] = [{"Messages": [raw(1, Attributes=system)]}]
    source = make(client, "http://q/1/jobs.fifo")
    [lease] = await source.receive(1)
    await source.copy(lease)
    sent = client.requests[1][1]
    assert sent["MessageGroupId"] == sent["MessageDeduplicationId"] != "web"
    assert "MessageGroupId" not in client.requests[0][1]["AttributeNames"]


async def test_a_message_that_has_ten_attributes_at_its_last_receive_is_released_at_once() -> None:
    """SQS takes ten: it refuses the copy, whose mark is the eleventh. The queue must not keep the message hidden."""
    client = FakeSqs()
    attributes = {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(10)}
    client.answers["attributes"] = [{"Attributes": {"RedrivePolicy": '{"maxReceiveCount":3}'}}]
    client.answers["receive"] = [{"Messages": [raw(1, MessageAttributes=attributes)]}]
    client.answers["send"] = [client_error("InvalidParameterValue")]
    source = make(client)
    await source.open()
    leases = await source.receive(1)
    await Settler().release_now(leases)
    [sent] = [request for name, request in client.requests if name == "send"]
    assert len(sent["MessageAttributes"]) == 11
    [[entry]] = client.entries("change")
    assert (entry["ReceiptHandle"], entry["VisibilityTimeout"]) == ("h1", 0)
    assert client.entries("delete") == []


async def test_a_refusal_without_a_code_means_the_same_with_both_clients() -> None:
    # Without a code, for example from a load balancer, the SDK uses the status as the code, as text.
    kind, error = translate(ClientError({"Error": {"Code": "400"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "Any"))
    assert kind == sqs_errors.translate(SqsResponseError(400, "", ""))[0] == "unavailable"
    assert isinstance(error, SourceUnavailableError)


async def test_a_call_without_an_answer_is_given_up_but_a_receive_may_wait() -> None:
    class Silent(FakeSqs):
        async def get_queue_attributes(self, **request: object) -> Any:
            await asyncio.Event().wait()

        async def receive_message(self, **request: object) -> Any:
            await asyncio.sleep(20)
            return {}

    seen = Recorder()
    source = make(Silent(), observer=seen)
    with pytest.raises(SourceUnavailableError):
        await source.depth()
    assert seen.of(SourceCalled)[0].detail == "TimeoutError: no response within 10 s"
    assert asyncio.get_running_loop().time() == 10
    assert await source.receive(1) == []


async def test_closing_sends_what_was_gathering_and_does_not_wait_for_a_queue_that_is_away() -> None:
    client = FakeSqs()
    client.answers["receive"] = [{"Messages": [raw(1)]}]
    source = make(client)
    [lease] = await source.receive(1)
    acking = asyncio.create_task(lease.ack())
    await asyncio.sleep(0)
    await source.close()
    await acking
    assert [name for name, _ in client.requests] == ["receive", "delete"]

    class Silent(FakeSqs):
        async def delete_message_batch(self, **request: Any) -> Any:
            await asyncio.Event().wait()

    silent = Silent()
    silent.answers["receive"] = [{"Messages": [raw(1)]}]
    source = make(silent)
    [lease] = await source.receive(1)
    acking = asyncio.create_task(lease.ack())
    await asyncio.sleep(0)
    before = asyncio.get_running_loop().time()
    await source.close()
    assert asyncio.get_running_loop().time() - before <= 1
    with pytest.raises(SourceUnavailableError):
        await acking


async def test_a_queue_that_does_not_wait_is_not_asked_without_a_pause() -> None:
    client = FakeSqs()
    source = make(client)
    for _ in range(10):
        assert await source.receive(1) == []
    assert asyncio.get_running_loop().time() >= 10 * MIN_EMPTY_POLL_INTERVAL_S
    client.answers["receive"] = [{"Messages": [raw(1)]}]
    began = asyncio.get_running_loop().time()
    assert len(await source.receive(1)) == 1
    assert asyncio.get_running_loop().time() == began


@pytest.mark.looptime
@pytest.mark.parametrize(("gathers", "waited_s"), [(True, ACK_LINGER_S), (False, 0.0)])
async def test_deletions_wait_for_others_only_where_messages_are_not_counted(gathers: bool, waited_s: float) -> None:
    client = FakeSqs()
    source = SqsSource(
        client,
        translate=translate,
        queue_url="http://q/1/jobs",
        visibility_timeout_s=30,
        poll_wait_s=20,
        held=lambda: 1,
        observer=Recorder(),
        gathers_acks=gathers,
    )
    started = asyncio.get_running_loop().time()
    await source.delete("r", 100)
    assert asyncio.get_running_loop().time() - started == pytest.approx(waited_s, abs=0.01)


async def test_changes_of_a_message_are_sent_until_its_lease_is_over_and_no_longer() -> None:
    client = FakeSqs()
    client.answers["receive"] = [{"Messages": [raw(1), raw(2), raw(3), raw(4)]}]
    renewed, acked, released, extended = await make(client).receive(4)
    await asyncio.sleep(15)
    await renewed.extend(30)
    await asyncio.sleep(14.2)
    # A renewal may be sent until a margin of 1 s before the end of the lease; a settlement until half of that.
    with pytest.raises(LeaseLostError):
        await extended.extend(30)
    await asyncio.sleep(0.2)
    await acked.ack()
    await asyncio.sleep(0.2)
    for late in (acked.ack(), released.release()):
        with pytest.raises(LeaseLostError):
            await late
    await asyncio.sleep(14)
    await renewed.release()
    sent = [
        entry["ReceiptHandle"] for name in ("change", "delete") for entries in client.entries(name) for entry in entries
    ]
    assert sent == ["h1", "h1", "h2"]


async def test_a_request_ends_with_the_lease_and_not_only_with_its_time_out() -> None:
    class Silent(FakeSqs):
        async def change_message_visibility_batch(self, **request: Any) -> Any:
            await asyncio.Event().wait()

    client = Silent()
    client.answers["receive"] = [{"Messages": [raw(1)]}]
    [lease] = await make(client).receive(1)
    await asyncio.sleep(25)
    with pytest.raises(SourceUnavailableError):
        await lease.release()
    assert asyncio.get_running_loop().time() == pytest.approx(29.5)
