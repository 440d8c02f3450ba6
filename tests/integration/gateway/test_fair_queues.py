"""Fair queues with processes and a real server: a message has the name of its caller as its group, on all of its ways."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.gateway.held import Held
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually

TOKEN = "secret-token-of-the-tenant"
TENANT = "tenant@example.com"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def queue(cloud: Cloud) -> Queue:
    return cloud.queue(max_receives=1)


@pytest.fixture
def gateway(cloud: Cloud, bucket: Bucket, queue: Queue, tmp_path: Path) -> Iterator[Gateway]:
    path = tmp_path / "tokens.yaml"
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    path.write_text(json.dumps([{"name": TENANT, "sha256": digest, "apis": "*", "may": ["submit", "control"]}]))
    more = {"DEQUEUER_TOKENS": str(path), "DEQUEUER_FAIR_QUEUES": "true"}
    with Gateway(cloud.url, bucket, queue.url, more=more) as running:
        running.wait_started()
        yield running


def call(gateway: Gateway, method: str, path: str, body: bytes | None = None) -> Mapping[str, object]:
    request = urllib.request.Request(f"http://127.0.0.1:{gateway.port}{path}", body, AUTHORIZED, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        read: Mapping[str, object] = json.loads(answer.read())
        return read


def receive(cloud: Cloud, queue: Queue) -> list[dict[str, Any]]:
    """Receive what is visible, and leave it visible."""
    names = ["MessageGroupId", "ApproximateReceiveCount"]
    answer = cloud.sqs.receive_message(
        QueueUrl=queue.url,
        MessageSystemAttributeNames=names,
        MessageAttributeNames=["All"],
        VisibilityTimeout=0,
    )
    found: list[dict[str, Any]] = answer.get("Messages", [])
    return found


def groups(messages: list[dict[str, Any]]) -> list[str]:
    return [one["Attributes"]["MessageGroupId"] for one in messages]


def test_a_message_keeps_its_caller_through_the_dead_letter_queue(cloud: Cloud, queue: Queue, gateway: Gateway) -> None:
    call(gateway, "POST", "/api", b"payload")
    [message] = eventually(lambda: receive(cloud, queue), "the message")
    assert groups([message]) == [TENANT]
    assert TOKEN not in json.dumps(message, default=str)
    assert receive(cloud, queue) == []  # moved to the dead-letter queue
    assert call(gateway, "PUT", "/api/_dead-letters?action=redrive")["moved"] == 1
    assert groups(eventually(lambda: receive(cloud, queue), "the message to be back")) == [TENANT]


def test_a_copy_that_a_sidecar_sends_at_its_end_keeps_it(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, held: Held, gateway: Gateway
) -> None:
    call(gateway, "POST", "/api", b"payload")
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_SHUTDOWN_GRACE="1")
    with Sidecar(settings) as sidecar:
        assert held.began.wait(60)
        sidecar.terminate()
        sidecar.wait()
    [copy] = eventually(lambda: receive(cloud, queue), "the copy")
    assert copy["MessageAttributes"]["may_repeat"]["StringValue"] == "true"
    assert groups([copy]) == [TENANT]
