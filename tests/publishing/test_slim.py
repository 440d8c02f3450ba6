"""The slim clients of SNS and EventBridge: what they send, and what they make of answers that are none."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

import pytest

from dequeuer.aws.credentials.renewal import CredentialsCache
from dequeuer.aws.endpoint import AwsEndpoint, origin_of
from dequeuer.aws.signing import Signer
from dequeuer.http.errors import MalformedError
from dequeuer.publishing.event_bridge import SlimEventBridge
from dequeuer.publishing.operations import PublishingError
from dequeuer.publishing.sns import SlimSns
from tests.hostile.server import read_request, serving
from tests.sinks.fake_s3 import answer
from tests.sinks.stores import Chain

OK = b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult/></PublishResponse>'
DENIED = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code><Message>no &amp; no</Message></Error>"
    b"</ErrorResponse>"
)
ATTRIBUTES = {"type": {"DataType": "String", "StringValue": "a&b"}}


@asynccontextmanager
async def endpoint(status: int, body: bytes, seen: list[bytes]) -> AsyncIterator[AwsEndpoint]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen.append(await read_request(reader))
            writer.write(answer(status, body))
            await writer.drain()

    async with serving(serve) as port:
        origin = origin_of(f"http://127.0.0.1:{port}", ssl.create_default_context())
        made = AwsEndpoint(origin, Signer("sns", "us-east-1"), CredentialsCache(Chain()))
        try:
            yield made
        finally:
            await made.close()


async def publish(status: int, body: bytes) -> bytes:
    seen: list[bytes] = []
    async with endpoint(status, body, seen) as made:
        sns = SlimSns(made, timeout_s=10)
        await sns.publish(TopicArn="arn:t", Message='{"a":"é+ &=%\n"}', MessageAttributes=ATTRIBUTES)
    return seen[0]


async def put(status: int, body: bytes) -> tuple[bytes, object]:
    seen: list[bytes] = []
    async with endpoint(status, body, seen) as made:
        answered = await SlimEventBridge(made, timeout_s=10).put_events(Entries=[{"Detail": "{}"}])
    return seen[0], answered


async def test_a_message_is_a_signed_form() -> None:
    head, _, body = (await publish(200, OK)).partition(b"\r\n\r\n")
    assert b"content-type:application/x-www-form-urlencoded; charset=utf-8" in head
    assert b"/us-east-1/sns/aws4_request" in head
    assert dict(parse_qsl(body.decode(), strict_parsing=True)) == {
        "Action": "Publish",
        "Version": "2010-03-31",
        "TopicArn": "arn:t",
        "Message": '{"a":"é+ &=%\n"}',
        "MessageAttributes.entry.1.Name": "type",
        "MessageAttributes.entry.1.Value.DataType": "String",
        "MessageAttributes.entry.1.Value.StringValue": "a&b",
    }


async def test_an_error_of_sns_has_its_code() -> None:
    with pytest.raises(PublishingError, match="AuthorizationError: no & no") as caught:
        await publish(403, DENIED)
    assert (caught.value.status, caught.value.code) == (403, "AuthorizationError")


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"{}", b"<!DOCTYPE a><PublishResponse/>"])
async def test_what_is_no_answer_of_sns_published_nothing(body: bytes) -> None:
    with pytest.raises(MalformedError):
        await publish(200, body)
    with pytest.raises(PublishingError) as caught:
        await publish(502, body)
    assert (caught.value.status, caught.value.code) == (502, "")


async def test_an_event_is_json() -> None:
    request, answered = await put(200, b'{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}')
    head, _, body = request.partition(b"\r\n\r\n")
    assert b"x-amz-target:AWSEvents.PutEvents" in head
    assert json.loads(body) == {"Entries": [{"Detail": "{}"}]}
    assert answered == {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}


async def test_an_error_of_event_bridge_has_its_code() -> None:
    with pytest.raises(PublishingError, match="not yours") as caught:
        await put(400, b'{"__type":"com.amazon#AccessDeniedException","message":"not yours"}')
    assert (caught.value.status, caught.value.code) == (400, "AccessDeniedException")
    with pytest.raises(PublishingError) as caught:
        await put(400, b'{"__type":"ThrottlingException"}')
    assert caught.value.code == "ThrottlingException"


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"[]", b"{}"])
async def test_what_is_no_answer_of_event_bridge_put_nothing(body: bytes) -> None:
    with pytest.raises(MalformedError):
        await put(200, body)
