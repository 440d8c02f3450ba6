from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator

import pytest

from dequeuer.aws.credentials.renewal import CredentialsCache
from dequeuer.aws.endpoint import AwsEndpoint, origin_of
from dequeuer.aws.signing import Signer
from dequeuer.http.errors import ResponseTooLargeError
from dequeuer.sources.sqs.slim import MAX_RESPONSE_BYTES, SlimSqs
from tests.hostile.server import read_request, serving
from tests.sinks.fake_s3 import answer
from tests.sinks.stores import Chain


class FakeSqs:
    """A queue with an unlimited number of messages of one size."""

    def __init__(self) -> None:
        self.message_bytes = 0
        self.asked: list[int] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            raw = await read_request(reader)
            self.asked.append(json.loads(raw.partition(b"\r\n\r\n")[2])["MaxNumberOfMessages"])
            messages = [{"Body": "x" * self.message_bytes}] * self.asked[-1]
            writer.write(answer(200, json.dumps({"Messages": messages}).encode()))
            await writer.drain()


@pytest.fixture
async def fake() -> FakeSqs:
    return FakeSqs()


@pytest.fixture
async def sqs(fake: FakeSqs) -> AsyncIterator[SlimSqs]:
    async with serving(fake.serve) as port:
        origin = origin_of(f"http://127.0.0.1:{port}", ssl.create_default_context())
        endpoint = AwsEndpoint(origin, Signer("sqs", "us-east-1"), CredentialsCache(Chain()))
        yield SlimSqs(endpoint, timeout_s=10, longest_wait_s=0)
        await endpoint.close()


async def test_ten_messages_of_the_largest_size_fit(fake: FakeSqs, sqs: SlimSqs) -> None:
    fake.message_bytes = 2**20
    assert len((await sqs.receive_message(MaxNumberOfMessages=10))["Messages"]) == 10


async def test_what_does_not_fit_is_asked_for_again_with_fewer(fake: FakeSqs, sqs: SlimSqs) -> None:
    fake.message_bytes = MAX_RESPONSE_BYTES // 3
    for following in (5, 2):
        with pytest.raises(ResponseTooLargeError, match=f"{following} messages are requested next"):
            await sqs.receive_message(MaxNumberOfMessages=10)
    assert len((await sqs.receive_message(MaxNumberOfMessages=10))["Messages"]) == 2
    fake.message_bytes = 100
    for _ in range(12):
        await sqs.receive_message(MaxNumberOfMessages=10)
    assert fake.asked == [10, 5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10, 10]


async def test_one_message_full_of_what_json_escapes_fits(fake: FakeSqs, sqs: SlimSqs) -> None:
    fake.message_bytes = 6 * 2**20
    with pytest.raises(ResponseTooLargeError):
        await sqs.receive_message(MaxNumberOfMessages=3)
    assert len((await sqs.receive_message(MaxNumberOfMessages=3))["Messages"]) == 1
