"""From a submission to its webhook, as processes; what an independent package says of the signature."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from dequeuer.core import clock
from dequeuer.formats.webhook_event import WebhookEvent, decode_event, encode_event
from tests.integration.cloud import CLUSTER, KEYS, REGION, Bucket, Cloud, Queue
from tests.integration.container import Container, Held, Reply, Request, in_turn
from tests.integration.gateway_process import Gateway
from tests.integration.refusing import EVERYTHING, RefusingCloud
from tests.integration.sidecar import AWS_CLIENT, Sidecar, async_settings
from tests.integration.test_permissions import policy
from tests.integration.waiting import DEADLINE_S, eventually

OLD, NEW = (f"whsec_{base64.b64encode(letter * 32).decode()}" for letter in (b"o", b"n"))
INSIDE = {"DEQUEUER_WEBHOOK_HTTP": "true", "DEQUEUER_WEBHOOK_ALLOW": "127.0.0.0/8"}


@pytest.fixture
def outbox(cloud: Cloud) -> Queue:
    return cloud.queue()


@pytest.fixture
def receiver() -> Iterator[Container]:
    with Container(lambda _request: Reply(status=204, body=b"")) as running:
        yield running


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"{OLD}\n")
    return file


def settings_of(cloud: Cloud, bucket: Bucket, outbox: Queue, keys: Path, **more: str) -> dict[str, str]:
    """Return the environment of `dequeuer webhooks`."""
    return {
        **KEYS,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": cloud.url,
        "DEQUEUER_BUCKET": bucket.name,
        "DEQUEUER_CLUSTER_UID": CLUSTER,
        "DEQUEUER_WEBHOOK_QUEUE": outbox.url,
        "DEQUEUER_WEBHOOK_KEYS": str(keys),
        "DEQUEUER_WEBHOOK_RESULTS_URL": "https://gateway.example.com",
        "DEQUEUER_VISIBILITY_TIMEOUT": "6",  # a stalled deliverer loses a shorter lease, and delivers once more
        "DEQUEUER_LOG_FORMAT": "json",
        **AWS_CLIENT,
        **more,
    }


def announce(outbox: Queue, url: str, request_id: str = "r1") -> None:
    """Send the end of a request, as a sidecar does."""
    event = WebhookEvent(url=url, api_name="api", request_id=request_id, status="completed", ended_at=clock.wall())
    outbox.send(encode_event(event))


def submit(gateway: Gateway, url: str) -> str:
    """Submit a request that names a receiver; return its id."""
    with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=DEADLINE_S)) as connection:
        connection.request("POST", "/api", b"payload", {"X-Webhook-URL": url})
        answer = connection.getresponse()
        text = answer.read()
    assert answer.status == 200, text
    request_id: str = json.loads(text)["id"]
    return request_id


def verified(request: Request, key: str) -> dict[str, object]:
    """Return the document of a webhook whose signature is valid."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    document: dict[str, object] = Webhook(key).verify(request.body, {name: request.header(name)[0] for name in names})
    return document


def test_the_end_of_a_request_is_announced_with_a_signature_and_keys_are_replaced(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, receiver: Container, outbox: Queue, keys: Path
) -> None:
    hook = f"http://127.0.0.1:{receiver.port}/hook?x=1"
    offered, events = {"DEQUEUER_WEBHOOK_QUEUE": outbox.url}, cloud.queue()
    with (
        Gateway(cloud.url, bucket, queue.url, more={**offered, **INSIDE}) as gateway,
        Sidecar(async_settings(cloud, queue, bucket, container.port, DEQUEUER_EVENTS_TARGET=events.url, **offered)),
        Sidecar(settings_of(cloud, bucket, outbox, keys, **INSIDE), "webhooks") as deliverer,
    ):
        gateway.wait_started()
        done = submit(gateway, hook)
        eventually(lambda: receiver.requests, "the webhook of a success")
        [first] = receiver.requests
        document = verified(first, OLD)
        assert document["type"] == "request.completed"
        assert document["data"] == {
            "id": done,
            "api_name": "api",
            "status": "completed",
            "result_url": f"https://gateway.example.com/api/{done}",
        }
        assert first.path == "/hook?x=1"
        assert "status/completed" in bucket.names(done)
        assert container.requests[0].header("X-Webhook-URL") == []

        keys.write_text(f"{NEW}\n{OLD}\n")
        container.reply = lambda _request: Reply(status=500)
        submit(gateway, hook)
        eventually(lambda: len(receiver.requests) > 1, "the webhook of a failure")
        for key in (OLD, NEW):
            assert verified(receiver.requests[1], key)["type"] == "request.failed"
        with pytest.raises(WebhookVerificationError):
            verified(receiver.requests[1], f"whsec_{base64.b64encode(b'x' * 32).decode()}")
        delivered = 'dequeuer_webhooks_ended_total{end="delivered"}'
        eventually(lambda: deliverer.metric(delivered) == 2, "both deliveries to be counted")
        eventually(outbox.is_empty, "the outbox to be empty")
        eventually(lambda: events.count() == 2, "an event for each request")
        deliverer.terminate()
        assert deliverer.wait() == 0
        assert deliverer.events("webhook_keys_replaced")
        assert not [line for line in deliverer.lines if "hook?x=1" in line or "whsec_" in line]


def test_a_deliverer_that_is_killed_in_a_delivery_loses_no_webhook(
    cloud: Cloud, bucket: Bucket, receiver: Container, outbox: Queue, keys: Path
) -> None:
    held = Held()
    receiver.reply = held
    settings = settings_of(cloud, bucket, outbox, keys, **INSIDE)
    announce(outbox, f"http://127.0.0.1:{receiver.port}/")
    with Sidecar(settings, "webhooks") as killed:
        eventually(lambda: receiver.requests, "the delivery to begin")
        killed.kill()
    held.release.set()
    with Sidecar(settings, "webhooks"):
        eventually(outbox.is_empty, "another process to deliver it")
    first, *again = receiver.requests
    assert again
    assert {request.header("webhook-id")[0] for request in again} == set(first.header("webhook-id"))


def test_a_delivery_under_way_ends_before_the_process_does(
    cloud: Cloud, bucket: Bucket, receiver: Container, outbox: Queue, keys: Path
) -> None:
    held = Held()
    receiver.reply = held
    announce(outbox, f"http://127.0.0.1:{receiver.port}/")
    with Sidecar(settings_of(cloud, bucket, outbox, keys, **INSIDE), "webhooks") as deliverer:
        eventually(lambda: receiver.requests, "the delivery to begin")
        deliverer.terminate()
        eventually(lambda: deliverer.events("draining"), "the drain to begin")
        held.release.set()
        assert deliverer.wait() == 0
    assert outbox.is_empty()
    assert len(receiver.requests) == 1


def test_a_receiver_that_is_gone_gets_no_more(
    cloud: Cloud, bucket: Bucket, receiver: Container, outbox: Queue, keys: Path
) -> None:
    receiver.reply = lambda _request: Reply(status=410)
    with Sidecar(settings_of(cloud, bucket, outbox, keys, **INSIDE), "webhooks") as deliverer:
        announce(outbox, f"http://127.0.0.1:{receiver.port}/")
        eventually(lambda: deliverer.events("webhook_disabled"), "the receiver to be disabled")
        announce(outbox, f"http://127.0.0.1:{receiver.port}/", "r2")
        eventually(lambda: len(deliverer.events("webhook_disabled")) == 2, "the second webhook to be dropped")
        eventually(outbox.is_empty, "the outbox to be empty")
    assert len(receiver.requests) == 1
    listed = bucket.s3.list_objects_v2(Bucket=bucket.name)["Contents"]
    assert [entry["Key"].rpartition("/")[0] for entry in listed] == [f"{CLUSTER}/workloads/api/_webhooks"]


def test_nothing_inside_is_reached_whatever_it_is_called(
    cloud: Cloud, bucket: Bucket, receiver: Container, outbox: Queue, keys: Path
) -> None:
    port = receiver.port
    urls = [
        f"http://127.0.0.1:{port}/",
        f"http://2130706433:{port}/",
        f"http://0x7f.1:{port}/",
        f"http://0177.0.0.1:{port}/",
        f"http://[::ffff:127.0.0.1]:{port}/",
        f"http://[::ffff:7f00:1]:{port}/",
        f"http://[64:ff9b::7f00:1]:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        f"ftp://127.0.0.1:{port}/",
    ]
    with Sidecar(settings_of(cloud, bucket, outbox, keys, DEQUEUER_WEBHOOK_HTTP="true"), "webhooks") as deliverer:
        for number, url in enumerate(urls):
            announce(outbox, url, f"r{number}")
        eventually(lambda: len(deliverer.events("webhook_not_allowed")) == len(urls), "all of them to be refused")
        # A name is resolved at the delivery.
        announce(outbox, f"http://localhost:{port}/", "name")
        retried = eventually(
            lambda: [line for line in deliverer.events("message_settled") if line["settlement"] == "retried"],
            "the name to be refused",
        )
    assert "loopback" in retried[0]["reason"]
    assert receiver.requests == []


def test_a_redirect_is_not_followed(
    cloud: Cloud, bucket: Bucket, receiver: Container, outbox: Queue, keys: Path
) -> None:
    with Container() as inside:
        receiver.reply = lambda _request: Reply(
            status=307, headers={"Location": f"http://127.0.0.1:{inside.port}/"}, body=b""
        )
        with Sidecar(settings_of(cloud, bucket, outbox, keys, **INSIDE), "webhooks") as deliverer:
            announce(outbox, f"http://127.0.0.1:{receiver.port}/")
            [line] = deliverer.settled(1)
        assert (line["settlement"], line["receive_count"]) == ("retried", 1)
        assert "redirects are not followed" in line["reason"]
        assert inside.requests == []
    assert len(receiver.requests) == 1


def test_without_keys_it_does_not_start(cloud: Cloud, bucket: Bucket, outbox: Queue, tmp_path: Path) -> None:
    settings = settings_of(cloud, bucket, outbox, tmp_path / "none")
    with Sidecar(settings, "webhooks") as deliverer:
        assert deliverer.wait() == 2
    assert any("DEQUEUER_WEBHOOK_KEYS" in line for line in deliverer.lines)


def test_a_queue_that_does_not_exist_ends_it(cloud: Cloud, bucket: Bucket, outbox: Queue, keys: Path) -> None:
    gone = settings_of(cloud, bucket, outbox, keys, DEQUEUER_WEBHOOK_QUEUE=f"{outbox.url}-gone")
    with Sidecar(gone, "webhooks") as deliverer:
        assert deliverer.wait() == 1
        assert deliverer.events("cannot_go_on")


def test_the_policy_on_the_page_is_enough(
    cloud: Cloud, bucket: Bucket, receiver: Container, outbox: Queue, keys: Path
) -> None:
    receiver.reply = in_turn(Reply(status=204, body=b""), Reply(status=410))
    granted = policy("webhooks", outbox, bucket.name)
    with RefusingCloud(cloud, granted, keyed=("s3", "sqs")) as refusing:
        settings = settings_of(cloud, bucket, outbox, keys, **INSIDE) | {
            "AWS_ENDPOINT_URL": refusing.url,
            "DEQUEUER_WEBHOOK_QUEUE": refusing.queue_url(outbox),
        }
        with Sidecar(settings, "webhooks") as deliverer:
            for request_id in ("r1", "r2"):
                announce(outbox, f"http://127.0.0.1:{receiver.port}/", request_id)
                eventually(outbox.is_empty, "the webhook to be delivered or dropped")
            assert deliverer.get("/healthz") == (200, "healthy")
        assert not refusing.refused
    assert len(receiver.requests) == 2
    assert bucket.s3.list_objects_v2(Bucket=bucket.name)["KeyCount"] == 1


def test_while_a_sidecar_may_not_announce_a_finished_request_is_kept_and_not_run_again(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, outbox: Queue
) -> None:
    with RefusingCloud(cloud, policy("async", queue, bucket.name)) as refusing:
        # A stalled sidecar loses a shorter lease, and says how its message was settled.
        settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_VISIBILITY_TIMEOUT="6")
        settings |= refusing.settings(queue) | {"DEQUEUER_WEBHOOK_QUEUE": refusing.queue_url(outbox)}
        with Sidecar(settings) as killed:
            bucket.put("r1", "payload", b"payload")
            queue.send("r1", webhook="https://example.com/hook")
            eventually(lambda: refusing.refused["sqs:SendMessage"] > 1, "the announcement to be refused")
            assert "status/completed" in bucket.names("r1")
            assert killed.events("queue_denied")[0]["permission"] == "sqs:SendMessage"
            assert not killed.events("message_settled")
        with Sidecar(settings):
            refusing.policy = EVERYTHING
            eventually(lambda: not outbox.is_empty(), "the announcement")
            eventually(queue.is_empty, "the message to be deleted")
    taken = outbox.take()
    assert taken is not None
    event = decode_event(taken[0])
    assert (event.request_id, event.status, event.url) == ("r1", "completed", "https://example.com/hook")
    assert len(container.requests) == 1
