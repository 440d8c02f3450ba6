"""A queue with arbitrary responses: no message is settled by the response about another one; the worker continues."""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dequeuer.clients.choice import ClientName, connect
from dequeuer.core.errors import (
    LeaseLostError,
    SourceDeniedError,
    SourceGoneError,
    SourceUnavailableError,
)
from dequeuer.core.events import SourceCalled
from dequeuer.core.message import Message
from dequeuer.settings import AwsSettings
from dequeuer.sources.base import Depth
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.sdk_errors import translate
from dequeuer.sources.sqs.source import SqsSource
from tests.fakes import Recorder
from tests.hostile.server import Script, answering, dripping, flooding, serving

SOURCE_ERRORS = (SourceUnavailableError, SourceDeniedError, SourceGoneError)
"""The errors that a source may raise."""


class FixedResponseClient:
    """The SDK's client, with one response to all calls."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def receive_message(self, **_request: object) -> Any:
        return self.answer

    delete_message_batch = change_message_visibility_batch = get_queue_attributes = send_message = receive_message


CLIENTS: tuple[ClientName, ...] = ("slim", "sdk")


@pytest.fixture(autouse=True)
def without_receive_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    # The pause after a receive without messages is real time here; tests/sources tests it.
    monkeypatch.setattr("dequeuer.sources.sqs.source.MIN_EMPTY_POLL_INTERVAL_S", 0.0)


def source(client: Any, seen: Recorder | None = None, translate: Translate = translate) -> SqsSource:
    return SqsSource(
        client,
        translate=translate,
        queue_url="http://q/1/jobs",
        visibility_timeout_s=30,
        poll_wait_s=1,
        held=lambda: 0,
        observer=seen or Recorder(),
    )


GOOD = {"MessageId": "m", "ReceiptHandle": "r", "Body": "b"}


@pytest.mark.parametrize("missing", GOOD)
async def test_a_message_without_a_required_field_is_left_out_and_counted(missing: str) -> None:
    half = {name: value for name, value in GOOD.items() if name != missing}
    seen = Recorder()
    leases = await source(FixedResponseClient({"Messages": [half, GOOD]}), seen).receive(10)
    assert [lease.message.id for lease in leases] == ["m"]
    assert [event.error for event in seen.of(SourceCalled)] == [None, "invalid"]


async def test_messages_of_which_none_can_be_read_are_an_outage_not_a_quiet_queue() -> None:
    with pytest.raises(SourceUnavailableError):
        await source(FixedResponseClient({"Messages": [{"Body": "b"}]})).receive(10)


@pytest.mark.parametrize(
    ("attributes", "receive_count", "sent_at"),
    [
        ({"ApproximateReceiveCount": "3", "SentTimestamp": "1500"}, 3, 1.5),
        ({"ApproximateReceiveCount": "many", "SentTimestamp": "yesterday"}, 1, None),
        ({"ApproximateReceiveCount": "-1", "SentTimestamp": "-1"}, 1, None),
        ({"ApproximateReceiveCount": "9" * 5000, "SentTimestamp": "9" * 5000}, 1, None),
        ({"ApproximateReceiveCount": "\u0663", "SentTimestamp": "1e3"}, 1, None),
        ({"ApproximateReceiveCount": None, "SentTimestamp": []}, 1, None),
    ],
)
async def test_invalid_counts_are_not_known(
    attributes: Mapping[str, object], receive_count: int, sent_at: float | None
) -> None:
    (lease,) = await source(FixedResponseClient({"Messages": [GOOD | {"Attributes": attributes}]})).receive(10)
    assert (lease.message.receive_count, lease.message.sent_at) == (receive_count, sent_at)


NAMES = [f"ApproximateNumberOfMessages{name}" for name in ("", "NotVisible", "Delayed")]


@pytest.mark.parametrize("value", [None, "", "-1", "many", "1.5", "\u0663", "9" * 5000, [], {}])
@pytest.mark.parametrize("name", NAMES)
async def test_a_missing_count_is_not_zero(name: str, value: object) -> None:
    # An empty queue would end a job.
    seen = Recorder()
    attributes = dict.fromkeys(NAMES, "0") | {name: value}
    with pytest.raises(SourceUnavailableError):
        await source(FixedResponseClient({"Attributes": attributes}), seen).depth()
    assert seen.of(SourceCalled)[-1].error == "unavailable"
    assert await source(FixedResponseClient({"Attributes": dict.fromkeys(NAMES, "0")})).depth() == Depth(
        visible=0, in_flight=0, delayed=0
    )


async def settle(answer: Any, count: int = 3) -> list[type[BaseException] | None]:
    """Acknowledge some messages at the same time; return the result of each."""
    client = FixedResponseClient({"Messages": [GOOD | {"ReceiptHandle": str(at)} for at in range(count)]})
    queue = source(client)
    leases = await queue.receive(10)
    client.answer = answer
    results = await asyncio.gather(*(lease.ack() for lease in leases), return_exceptions=True)
    return [type(result) if result is not None else None for result in results]


ALL_UNAVAILABLE: list[type[BaseException] | None] = [SourceUnavailableError] * 3


@pytest.mark.parametrize(
    "entries",
    [
        [{"Id": "-1"}],
        [{"Id": "3"}],
        [{"Id": "x"}],
        [{"Id": 0}],
        [{"Id": None}],
        [{"Id": []}],
        [{"Id": "00"}],
        [{"Id": " 0"}],
        [{"Id": "\u0660"}],
        [{}],
        ["0"],
        "0",
        {"0": {}},
        None,
        7,
    ],
)
async def test_a_response_about_another_entry_acknowledges_nothing(entries: object) -> None:
    assert await settle({"Successful": entries}) == ALL_UNAVAILABLE
    assert await settle({"Failed": entries}) == ALL_UNAVAILABLE


async def test_every_message_is_judged_by_its_own_entry() -> None:
    answer = {
        "Successful": [{"Id": "1"}, {"Id": "1"}, {"Id": "-1"}, {"Id": "2"}],
        "Failed": [{"Id": "2", "Code": "ReceiptHandleIsInvalid"}, {"Id": "7", "Code": "x" * 10_000}],
    }
    assert await settle(answer) == [SourceUnavailableError, None, LeaseLostError]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 12) | st.text(max_size=5) | st.sampled_from(["0", "1", "-1", "r"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Id", "Code", "Body", "MessageId", "ReceiptHandle", "Attributes", "MessageAttributes", "StringValue"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ANSWERS = st.dictionaries(st.sampled_from(["Messages", "Successful", "Failed", "Attributes"]), JSON, max_size=3)


@given(ANSWERS)
@settings(max_examples=150, suppress_health_check=list(HealthCheck), print_blob=True)
async def test_any_response_is_a_success_or_one_of_our_errors(answer: dict[str, Any]) -> None:
    queue = source(FixedResponseClient(answer))
    for call in (lambda: queue.receive(10), queue.depth, queue.open):
        try:
            result = await call()
        except SOURCE_ERRORS:
            continue
        for lease in result if isinstance(result, list) else ():
            assert isinstance(lease.message, Message)
            assert all(isinstance(text, str) for text in (lease.message.id, lease.message.body))
    verdicts = await settle(answer)
    named = [entry.get("Id") for entry in _list(answer, "Successful") if isinstance(entry, dict)]
    assert [at for at, verdict in enumerate(verdicts) if verdict is None and str(at) not in named] == []
    assert {verdict for verdict in verdicts if verdict} <= {*SOURCE_ERRORS, LeaseLostError}


def _list(answer: Mapping[str, Any], name: str) -> list[Any]:
    entries = answer.get(name)
    return entries if isinstance(entries, list) else []


def http(body: bytes, status: bytes = b"200 OK", head: bytes = b"") -> bytes:
    begin = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/x-amz-json-1.0\r\n" + head
    return begin + b"Content-Length: %d\r\n\r\n" % len(body) + body


SERVERS: dict[str, Script] = {
    "garbage": answering(b"garbage\r\n\r\n", then="close"),
    "nothing": answering(b"", then="close"),
    "a reset": answering(b"HTTP/1.1 200 OK\r\n", then="reset"),
    "no JSON": answering(http(b"<html>")),
    "a list": answering(http(b"[]")),
    "null": answering(http(b"null")),
    "a text": answering(http(b'"x"')),
    "odd types": answering(http(json.dumps({"Messages": {"a": 1}, "Attributes": [], "Successful": 3}).encode())),
    "odd messages": answering(http(json.dumps({"Messages": [None, 3, "x", [], {}]}).encode())),
    "deep nesting": answering(http(b'{"Messages": ' + b"[" * 100_000)),
    "not UTF-8": answering(http(b'{"Messages": "\xff\xfe"}')),
    "half an answer": answering(http(b"{}")[:-1], then="close"),
    "an error without code": answering(http(b"{}", b"400 Bad")),
    "an error that is no JSON": answering(http(b"\xff\xfe", b"500 Oh")),
    "an error of an odd type": answering(http(b'{"__type": ["x"], "message": {}}', b"400 Bad")),
    "an odd redirect": answering(http(b"", b"301 Moved", b"Location: http://[x\r\n")),
    "endless headers": flooding(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "status 999": answering(http(b"{}", b"999 Odd")),
}


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")


async def ask(script: Script, client_name: ClientName) -> list[str]:
    """Make every call with a client; return the errors."""
    raised = []
    async with asyncio.timeout(100), serving(script) as port:
        endpoint = f"http://127.0.0.1:{port}"
        where = AwsSettings(region="us-east-1", endpoint_url=endpoint, endpoint_url_sqs=None, endpoint_url_s3=None)
        aws = connect(where, client_name, os.environ)
        async with aws.sqs(longest_wait_s=1) as client:
            queue = source(client, translate=aws.translate)
            for call in (lambda: queue.receive(10), queue.depth, queue.open, lambda: queue.delete("r", math.inf)):
                try:
                    await call()
                except (*SOURCE_ERRORS, LeaseLostError) as error:
                    raised.append(type(error).__name__)
            await queue.close()
    return raised


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", SERVERS)
async def test_for_any_response_the_source_raises_only_its_own_errors(name: str, client: ClientName) -> None:
    raised = await ask(SERVERS[name], client)
    # A 4xx without a code can be a refusal or the response of a proxy; both are tried again.
    assert {"SourceUnavailableError", "SourceDeniedError"} >= set(raised)
    assert len(raised) >= 2  # without a response, a count and a deletion are errors


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_receive_whose_response_arrives_slowly_ends(
    client: ClientName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dequeuer.sources.sqs.source.RECEIVE_TIMEOUT_MARGIN_S", 0.2)
    monkeypatch.setattr("dequeuer.sources.sqs.source.CALL_TIMEOUT_S", 0.2)
    raised = await ask(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "), client)
    assert raised == ["SourceUnavailableError"] * 4
