"""Both sets of clients against SNS and EventBridge of moto, over HTTP; what was published arrives in a queue."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from dequeuer.clients.base import Cloud
from dequeuer.clients.sdk import Aws
from dequeuer.clients.slim import SlimAws
from dequeuer.core.errors import SourceDeniedError
from dequeuer.core.events import SourceCalled
from dequeuer.formats.webhook_event import WebhookEvent, webhook_body
from dequeuer.publishing.outbox import BusOutbox, TopicOutbox
from dequeuer.settings import AwsSettings
from tests.fakes import Recorder
from tests.moto_server import moto_server

REGION = "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}
EVENT = WebhookEvent(
    url="", api_name="text", request_id="id1", status="failed", ended_at=1.5, error='it said "é+&=%"\n', code="timeout"
)
BODY = webhook_body(EVENT, None).decode()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture(params=["slim", "sdk"])
def cloud(request: pytest.FixtureRequest, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    # Another region than that of the target, whose own counts.
    settings = AwsSettings(region="us-east-1", endpoint_url=endpoint, client=request.param)
    return Aws(settings) if request.param == "sdk" else SlimAws(settings, os.environ)


class Servers:
    """What the test looks at, with boto3."""

    def __init__(self, endpoint: str) -> None:
        session = boto3.Session("key", "secret", region_name=REGION)
        self.sns, self.sqs, self.events = (
            session.client(name, endpoint_url=endpoint) for name in ("sns", "sqs", "events")
        )

    def queue(self, name: str) -> tuple[str, str]:
        """Return URL and ARN of a new queue."""
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    def received(self, url: str) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.fixture
def servers(endpoint: str) -> Servers:
    return Servers(endpoint)


async def test_a_topic_gets_the_body_and_attributes_to_filter_by(cloud: Cloud, servers: Servers) -> None:
    topic = servers.sns.create_topic(Name="ends")["TopicArn"]
    mine, mine_arn = servers.queue("mine")
    others, others_arn = servers.queue("others")
    for arn, name in ((mine_arn, "text"), (others_arn, "another")):
        policy = json.dumps({"api_name": [name], "type": ["request.failed"]})
        servers.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"FilterPolicy": policy})
    seen = Recorder()
    async with cloud.sns(REGION) as client:
        await TopicOutbox(client, cloud.translate, topic, "text", seen).send(BODY)
    await cloud.close()
    [envelope] = servers.received(mine)
    assert envelope["Message"] == BODY
    assert servers.received(others) == []
    assert [(event.op, event.messages, event.error) for event in seen.of(SourceCalled)] == [("publish", 1, None)]


async def test_a_topic_that_does_not_exist_is_a_refusal(cloud: Cloud) -> None:
    seen = Recorder()
    async with cloud.sns(REGION) as client:
        nowhere = f"arn:aws:sns:{REGION}:123456789012:nowhere"
        with pytest.raises(SourceDeniedError, match="NotFound"):
            await TopicOutbox(client, cloud.translate, nowhere, "text", seen).send(BODY)
    await cloud.close()
    assert [(event.error, event.code) for event in seen.of(SourceCalled)] == [("denied", "NotFound")]


async def test_a_bus_gets_an_event_that_rules_match(cloud: Cloud, servers: Servers) -> None:
    bus = servers.events.create_event_bus(Name="ends")["EventBusArn"]
    url, arn = servers.queue("from-bus")
    pattern = {"source": ["dequeuer"], "detail-type": ["request.failed"], "detail": {"data": {"api_name": ["text"]}}}
    servers.events.put_rule(Name="mine", EventBusName="ends", EventPattern=json.dumps(pattern))
    servers.events.put_targets(Rule="mine", EventBusName="ends", Targets=[{"Id": "1", "Arn": arn}])
    seen = Recorder()
    async with cloud.event_bridge(REGION) as client:
        await BusOutbox(client, cloud.translate, bus, seen).send(BODY)
    await cloud.close()
    servers.events.delete_event_bus(Name="ends")
    [event] = servers.received(url)
    assert event["detail"] == json.loads(BODY)
    assert [(one.op, one.messages, one.error) for one in seen.of(SourceCalled)] == [("put_events", 1, None)]
