"""A request ends in the dead-letter queue, is found there and brought back, with processes and real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply
from tests.integration.gateway_process import Gateway
from tests.integration.refusing import Policy, RefusingCloud
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.test_permissions import policy
from tests.integration.waiting import eventually

LETTERS = "/api/_dead-letters"


@pytest.fixture(params=[False, True], ids=["standard", "fifo"])
def queue(cloud: Cloud, request: pytest.FixtureRequest) -> Queue:
    return cloud.queue(fifo=request.param, max_receives=1)


@pytest.fixture
def gateway(cloud: Cloud, queue: Queue, bucket: Bucket) -> Iterator[Gateway]:
    with Gateway(cloud.url, bucket, queue.url, more={"DEQUEUER_INLINE_BYTES": "1KiB"}) as running:
        running.wait_started()
        yield running


def test_a_request_that_was_never_done_is_done_after_a_redrive(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, gateway: Gateway
) -> None:
    container.reply = lambda _request: Reply(status=503)
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        request_id = gateway.submit()
        sidecar.settled(1)

        def looked() -> list[object]:
            status, text = gateway.call(LETTERS)
            assert status == 200, text
            found: list[object] = json.loads(text)["dead_letters"]
            return found

        [letter] = eventually(looked, "the message to be moved to the dead-letter queue")
        assert isinstance(letter, dict)
        assert (letter["id"], letter["status"]) == (request_id, "in_queue")
        assert len(looked()) == 1  # a look hides nothing

        container.reply = lambda _request: Reply(body=b'{"ok": true}')
        status, text = gateway.call(f"{LETTERS}?action=redrive", method="PUT")
        assert (status, json.loads(text)["moved"]) == (200, 1)
        document = json.loads(gateway.call(f"/api/{request_id}?wait=60")[1])
        assert (document["status"], document["result"]) == ("completed", {"ok": True})
        assert looked() == []
        calls = len(container.requests)

        # Its message comes back once more, as from a dead-letter queue of SQS: the end that stands is kept.
        assert queue.dead_letters is not None
        queue.dead_letters.send(request_id)
        eventually(looked, "the message to be seen")
        assert json.loads(gateway.call(f"{LETTERS}?action=redrive", method="PUT")[1])["moved"] == 1
        eventually(lambda: sidecar.settled(1)[-1]["settlement"] == "already_finished", "the message to be recognised")
        assert len(container.requests) == calls


def test_the_policy_on_the_page_is_enough_and_nothing_of_it_is_for_nothing(
    cloud: Cloud, queue: Queue, bucket: Bucket
) -> None:
    assert queue.dead_letters is not None
    dead_letters = queue.dead_letters
    names = {"dead-letters": dead_letters.url.rpartition("/")[2]}
    parts = [policy(name, queue, bucket.name, **names) for name in ("gateway", "gateway-dead-letters")]
    granted = Policy(tuple(grant for part in parts for grant in part.grants))
    with (
        RefusingCloud(cloud, granted, keyed=("s3",)) as refusing,
        Gateway(refusing.url, bucket, refusing.queue_url(queue)) as gateway,
    ):
        gateway.wait_started()
        dead_letters.send("id1")
        eventually(lambda: json.loads(gateway.call(LETTERS)[1])["dead_letters"], "the message to be seen")
        for action in ("sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage", "sqs:DeleteMessage"):
            refusing.denied = {action}
            status, text = gateway.call(f"{LETTERS}?action=redrive", method="PUT")
            refusing.denied = set()
            if action == "sqs:DeleteMessage":  # it was sent by then
                assert (status, json.loads(text)["moved"]) == (200, 1)
            else:
                assert (status, json.loads(text)["code"]) == (503, "queue_refused")
        refusing.refused.clear()
        gateway.call(f"{LETTERS}?action=redrive", method="PUT")
        assert not refusing.refused
