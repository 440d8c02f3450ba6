"""The ends of requests at a topic and a bus, as processes; the topic is not there at first, and the sidecar is killed."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from tests.integration.cloud import REGION, Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually

pytestmark = pytest.mark.parametrize("cloud", ["moto"], indirect=True)
ACCOUNT = "123456789012"


def client(cloud: Cloud, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=cloud.url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def arn_of(cloud: Cloud, queue: Queue) -> str:
    found = cloud.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])
    arn: str = found["Attributes"]["QueueArn"]
    return arn


def taken(queue: Queue) -> dict[str, Any]:
    """Wait for a message; return it."""
    body, _ = eventually(queue.take, "an event")
    document: dict[str, Any] = json.loads(body)
    return document


def test_no_event_is_lost_while_the_topic_is_missing_and_the_sidecar_is_killed(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{bucket.name}"
    settings = async_settings(
        cloud,
        queue,
        bucket,
        container.port,
        DEQUEUER_EVENTS_TARGET=topic,
        DEQUEUER_VISIBILITY_TIMEOUT="6",  # a stalled sidecar loses a shorter lease, and does all of it again
    )
    with Gateway(cloud.url, bucket, queue.url) as gateway:
        gateway.wait_started()
        with Sidecar(settings) as killed:
            request_id = gateway.submit()
            [line] = eventually(lambda: killed.events("queue_denied"), "the refusal to be logged")
            assert (line["op"], line["permission"]) == ("publish", "sns:Publish")
            assert "DEQUEUER_EVENTS_TARGET" in line["hint"]
            # The end of a request never waits for its event: clients see it.
            assert json.loads(gateway.call(f"/api/{request_id}")[1])["status"] == "completed"
            assert killed.get("/healthz")[0] == 200
            killed.kill()
        assert queue.count() == 1
        sns, events = client(cloud, "sns"), cloud.queue()
        assert sns.create_topic(Name=bucket.name)["TopicArn"] == topic
        sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn_of(cloud, events), Attributes={"RawMessageDelivery": "true"}
        )
        with Sidecar(settings) as sidecar:
            event = taken(events)
            assert (event["type"], event["data"]["id"]) == ("request.completed", request_id)
            eventually(queue.is_empty, "the message of the request to be deleted")
            assert sidecar.metric('dequeuer_source_calls_total{error="none",op="publish"}') == 1
    assert len(container.requests) == 1


def test_rules_of_a_bus_get_the_ends_of_requests(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    events, target = client(cloud, "events"), cloud.queue()
    bus = events.create_event_bus(Name=bucket.name)["EventBusArn"]
    pattern = {"source": ["dequeuer"], "detail-type": ["request.completed"]}
    events.put_rule(Name="ends", EventBusName=bucket.name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule="ends", EventBusName=bucket.name, Targets=[{"Id": "1", "Arn": arn_of(cloud, target)}])
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_EVENTS_TARGET=bus)
    with Gateway(cloud.url, bucket, queue.url) as gateway, Sidecar(settings):
        gateway.wait_started()
        request_id = gateway.submit()
        event = taken(target)
    assert event["detail"]["data"] == {"id": request_id, "api_name": "api", "status": "completed"}
